"""What every judgement shares: the difference that is too small to matter, and the level of confidence."""

MARGIN = 0.03
"""A relative difference of throughput or time that nobody acts on: smaller than what one more process is worth."""
LEVEL = 0.95
"""The confidence of all intervals, and of what is said to be shown."""

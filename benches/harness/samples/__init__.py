"""Which samples a pass reads, how many, and in which order."""

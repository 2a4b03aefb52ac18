"""Timestamps of a batch from its first sample to the loop that uses it, and what they add up to."""

"""The loader as its user has it: its first batch, two traced passes, and what the loop does with a batch."""

"""How often the gate errs on a machine: gates replayed on recorded blocks, and what they come to."""

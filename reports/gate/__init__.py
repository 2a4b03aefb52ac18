"""What a comparison of two revisions means: effects, estimates, the sequential test, verdicts."""

"""What `explain` measures: the loader as it is, and interventions side by side with it."""

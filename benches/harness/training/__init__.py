"""The training step: models of ours, the step itself, and what the user chooses in their place."""

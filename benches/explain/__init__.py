"""What `explain`, `whatif` and `check` measure: interventions side by side, costs of a loader, what it will need."""

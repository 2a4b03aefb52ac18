"""What slows a loader down: interventions ranked by what they save, memory growth, predictions of other settings."""

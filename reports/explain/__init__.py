"""What slows a loader down: interventions ranked by what they save, and memory growth."""

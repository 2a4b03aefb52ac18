"""What a watched script's waits mean."""

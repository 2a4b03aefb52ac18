"""What a loader will need, against what the machine has."""

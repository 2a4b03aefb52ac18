"""What `check` reads: the demand of a loader from its first batches, and the limits of the machine."""

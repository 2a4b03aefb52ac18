"""What `whatif` measures: costs of batches, and passes to compare predictions with."""

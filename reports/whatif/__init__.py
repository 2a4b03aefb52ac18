"""Predictions of settings that were not run, from the costs of batches."""

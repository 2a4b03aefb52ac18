"""What a loader shows before anything is changed: its first batch, two passes, what its batches occupy."""

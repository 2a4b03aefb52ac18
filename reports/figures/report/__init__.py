"""The figures of a report, and their catalogue."""

"""The benches: one file for each question. Collect them with ``pytest --pyargs loaderbench.benches``."""

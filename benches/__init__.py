"""The questions: one file, one question. Collect them with ``pytest --pyargs loaderbench.benches``."""

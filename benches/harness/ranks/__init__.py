"""A case on many ranks: their processes, what each loads, and what they show together."""

"""Why: what would crash, be wrong or be slow, and what would help."""

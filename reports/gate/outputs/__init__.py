"""A comparison in words and in files: sentences, verdict.json, JUnit XML."""

"""One session of pytest: what is planned, what has ended, and the record of it."""

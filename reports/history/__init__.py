"""The trunk: every run in a database, its trends and change points."""

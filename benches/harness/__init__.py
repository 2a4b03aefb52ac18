"""The instrument: everything between pytest and the clock."""

"""The instrument, twice: two sides of a comparison measured in turns."""

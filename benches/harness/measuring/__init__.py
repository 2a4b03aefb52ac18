"""A case, timed: the work of a round, the clock, what arrived, and how often it is repeated."""

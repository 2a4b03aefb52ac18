"""What a process of two may wait for in the place of a round: the set-up of a case, and its end."""

SET_UP = -1  # and the warm-up
TEAR_DOWN = 1 << 30  # after the last round

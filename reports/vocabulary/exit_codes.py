"""What the exit code of a command says, of all commands."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; ``loaderbench run`` and ``watch`` also pass on those of pytest and of the script."""

    FINE = 0
    BAD_ANSWER = 1
    """A regression, a failed case, a loader that would crash, or no setting that can be read."""
    REFUSED = 2
    """What was asked for, or a file, cannot be used; or it could not be judged: nothing is known to be fine."""
    INCONCLUSIVE = 3
    """With ``--strict``."""
    INTERRUPTED = 130
    """What was measured is kept."""

"""What the user asked for and cannot have."""


class RefusedError(Exception):
    """What was asked for cannot be done: one line that names the option or the object, what is wrong and what to do.

    Commands print it and end with exit code 2; the pytest plugin turns it into ``pytest.UsageError``.
    """


class NotRebuiltError(RefusedError):
    """A loader of the user's can be read as it is, and in no other way."""

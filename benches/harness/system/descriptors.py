"""File descriptors in reserve: user code may use up all that a process can have, and the record is still written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_COUNT = 16  # the record and the growing one, pytest's cache, an import of several modules, a child process


@dataclass(slots=True)
class Reserve:
    """Descriptors that this process keeps open for later use; a process forked from it closes them at once.

    There are none before the first `refill`.
    """

    count: int = _COUNT
    _kept: list[int] = field(default_factory=list)
    _owner: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.release)

    def refill(self) -> None:
        """Open as many as are missing, or can be had."""
        with suppress(OSError):
            while len(self._kept) < self.count and os.getpid() == self._owner:
                self._kept.append(os.open(os.devnull, os.O_RDONLY))

    def release(self) -> None:
        """Close them: now others can be opened in their place."""
        while self._kept:
            os.close(self._kept.pop())

    @contextmanager
    def released(self) -> Iterator[None]:
        """Have them free within."""
        self.release()
        try:
            yield
        finally:
            self.refill()

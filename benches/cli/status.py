"""What a command is doing: one line that is rewritten on a terminal; elsewhere a plain line every ten seconds."""

import sys
import time
from typing import Self

QUIET_S = 10.0


class StatusLine:
    """The line, on stderr; it is cleared at the end."""

    def __init__(self) -> None:
        self.is_live = sys.stderr.isatty()
        self.shown_s = -QUIET_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_live:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        """Say what the command does now."""
        if self.is_live:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.shown_s >= QUIET_S:
            self.shown_s = time.monotonic()
            print(text, file=sys.stderr, flush=True)

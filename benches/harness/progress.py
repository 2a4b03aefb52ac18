"""Progress: how far a run or a command is, and how long the rest will take.

A run, `explain`, `gate`, `calibrate` and `whatif` all use it the same way::

    with Progress(total=len(blocks)) as progress:    # or Progress.of_budget(seconds): the time itself is the total
        for block in blocks:
            progress.describe(block.name)            # what is under way
            measure(block)
            progress.advance()                       # one more of the total is done
            progress.say("block 3 failed: …")        # a line that stays

On a terminal it is one bar with the time left. Elsewhere it is a plain line for the first thing that ends, then one at
most every `EVERY_S` seconds, and one at the end. Nothing runs beside what is measured: it is drawn only within these
calls, which belong outside the clock.
"""

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

EVERY_S = 10.0  # between two plain lines
_REDRAW_S = 0.1  # between two drawings of the bar
_TICK_S = 1.0  # where nothing but the time has changed


class Progress:
    """A total, how much of it has been done, and a place to say so; a context manager that calls `finish`.

    `stream` is standard error by default; `is_live` says whether a bar can be drawn on it (default: it is a terminal).
    """

    def __init__(
        self,
        total: float,
        *,
        stream: TextIO | None = None,
        is_live: bool | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.total = total
        self.done = 0.0
        self._stream = sys.stderr if stream is None else stream
        self._is_live = self._stream.isatty() if is_live is None else is_live
        self._clock = clock
        self._began = clock()
        self._is_budget = False
        self._is_finished = False
        self._left_s: Callable[[], float] | None = None
        self._text = ""
        self._shown_at: float | None = None  # when the last line or drawing was made
        self._bar: Bar | None = None

    @classmethod
    def of_budget(
        cls,
        seconds: float,
        *,
        stream: TextIO | None = None,
        is_live: bool | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> Self:
        """Return a progress whose total is a time: it advances by itself, and `seconds` are left at first."""
        progress = cls(seconds, stream=stream, is_live=is_live, clock=clock)
        progress._is_budget = True
        return progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.finish(is_whole=error is None)
        else:
            self.clear()  # the error says how it ended

    def estimate_by(self, left_s: Callable[[], float]) -> None:
        """Take the seconds that are left from `left_s`, where what remains does not cost what was done on average."""
        self._left_s = left_s

    def describe(self, text: str) -> None:
        """Say what is under way."""
        self._text = text
        self._show(after_s=EVERY_S)

    def tick(self) -> None:
        """Show the time that has passed; it may be called as often as one likes."""
        if self._clock() - (self._shown_at or 0.0) >= _TICK_S:
            self._show(after_s=EVERY_S)

    def advance(self, amount: float = 1.0, text: str = "") -> None:
        """Add `amount` to what has been done; `text` says what came of it."""
        is_first = not self.done
        self.done += amount
        self._text = text or self._text
        self._show(after_s=0.0 if is_first else EVERY_S)

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self._write(line)

    def clear(self) -> None:
        """Leave the screen to whoever writes next."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def finish(self, *, is_whole: bool = True) -> None:
        """Say, once, how long all of it took; `is_whole` is false where it was interrupted."""
        self.clear()
        if (self.done or self._is_budget) and not self._is_finished:
            self._is_finished = True
            ended = ("measured for" if self._is_budget else "in") if is_whole else "interrupted after"
            count = "" if self._is_budget else f"{self.count()} "  # of a budget it is the time
            self._write(f"{count}{ended} {minutes(self.elapsed_s)}")

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since it began."""
        return self._clock() - self._began

    def left_s(self) -> float | None:
        """Return the seconds that are left; None where nothing has been done to judge by."""
        if self._is_budget:
            return max(0.0, self.total - self.elapsed_s)
        if self._left_s is not None:
            return self._left_s()
        return self.elapsed_s / self.done * max(0.0, self.total - self.done) if self.done else None

    def count(self) -> str:
        """Return how much of the total has been done, such as ``[ 3/12]``."""
        if self._is_budget:
            return f"[{minutes(min(self.elapsed_s, self.total))} of {minutes(self.total)}]"
        return f"[{self.done:{len(f'{self.total:g}')}g}/{self.total:g}]"

    def line(self) -> str:
        """Return all that is known, in one line."""
        left_s = self.left_s()
        is_open = left_s is not None and (self._is_budget or self.done < self.total)
        left = f" · {minutes(left_s or 0.0)} left" if is_open else ""
        return f"{self.count()} {self._text}{left}".rstrip()

    def _show(self, *, after_s: float) -> None:
        now = self._clock()
        since_s = now - (self._began if self._shown_at is None else self._shown_at)
        if self._is_live and (self._bar is None or since_s >= _REDRAW_S):
            self._shown_at = now
            self._draw()
        elif not self._is_live and since_s >= after_s:
            self._shown_at = now
            self._write(self.line())

    def _draw(self) -> None:
        if self._bar is None:
            self._bar = _bar(self._stream)
            self._bar.add_task("", total=self.total)
            self._bar.start()
        completed = min(self.elapsed_s, self.total) if self._is_budget else self.done
        self._bar.update(self._bar.task_ids[0], completed=completed, description=self.line())
        self._bar.refresh()

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def _bar(stream: TextIO) -> Bar:
    # No auto_refresh: its thread would run beside the clock.
    console = Console(file=stream, force_terminal=True)
    text = TextColumn("{task.description}", markup=False)
    return Bar(
        BarColumn(bar_width=20), text, console=console, auto_refresh=False, transient=True, redirect_stdout=False,
        redirect_stderr=False,
    )  # fmt: skip


def minutes(seconds: float) -> str:
    """Write a time as a clock does.

    >>> minutes(80.4), minutes(3)
    ('1:20', '0:03')
    """
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"

"""The line that is shown while a script runs: steps, their rate, the share of the loop that waits, the slowest wait."""

import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from loaderbench.benches.watch.observing.traces import EpochTrace, LoaderTrace

RECENT_S = 10.0  # what the line is about
EVERY_S = 10.0  # between two lines, where there is no terminal
_CLOSED = (OSError, ValueError, AttributeError)  # nobody reads it, the script has closed it, or there is none


@dataclass(slots=True)
class LiveLine:
    """Draws the line: over itself on a terminal, else, and above bars of tqdm, every `EVERY_S` seconds."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    is_live: bool | None = None
    _shown_at: float = 0.0
    _totals: dict[int, tuple[int, int, float]] = field(default_factory=dict)  # of a loader: epoch, batch, waited
    _seen: deque[tuple[float, int, float]] = field(default_factory=deque)
    _is_drawn: bool = False

    def show(self, loaders: list[LoaderTrace], steps: int, now: float) -> None:
        """Draw the line if it is time."""
        is_terminal = self._is_terminal() if self.is_live is None else self.is_live
        has_bars = tqdm_has_bars()
        is_live = is_terminal and not has_bars
        waited_s = sum(self._waited(number, trace) for number, trace in enumerate(loaders))
        self._seen.append((now, steps, waited_s))
        while len(self._seen) > 2 and self._seen[1][0] < now - RECENT_S:  # noqa: PLR2004 - a difference takes two
            self._seen.popleft()
        if not is_live and now - (self._shown_at or self._seen[0][0]) < EVERY_S:
            return
        self._shown_at = now
        text = line_of(self._seen[0], self._seen[-1], slowest(loaders, now - RECENT_S))
        before = "\r\x1b[K" if is_terminal else "\n" if has_bars else ""  # a bar has not ended its line
        self._write(before + text + ("\r" if is_live else "\n"))
        self._is_drawn = is_live

    def clear(self) -> None:
        """Leave the line to whoever writes next."""
        if self._is_drawn:
            self._write("\r\x1b[K")
            self._is_drawn = False

    def _is_terminal(self) -> bool:
        with suppress(*_CLOSED):
            return self.stream.isatty()
        return False

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except _CLOSED:
            self.is_live = False

    def _waited(self, number: int, trace: LoaderTrace) -> float:
        """Return the seconds that a loader has been waited for; what was added before is not added again."""
        place, batch, waited = self._totals.get(number, (0, 0, 0.0))
        for index in range(place, len(trace.epochs)):
            epoch = trace.epochs[index]
            begin = batch if index == place else 0
            waited += sum(epoch.received[begin:]) - sum(epoch.requested[begin:])
            if not begin and len(epoch.received):
                waited += epoch.started - epoch.began
            place, batch = index, len(epoch.received)
        self._totals[number] = (place, batch, waited)
        return waited


def tqdm_has_bars() -> bool:
    """Return whether the script shows a bar of tqdm, which draws over itself as this line does; nothing is imported."""
    bars = getattr(getattr(sys.modules.get("tqdm.std"), "tqdm", None), "_instances", ())
    return len(bars) > 0


def slowest(loaders: list[LoaderTrace], since: float) -> tuple[float, str]:
    """Return the longest wait since then, in seconds, and the loader's name; 0 where there was none."""
    longest = (0.0, "")
    for trace in loaders:
        for epoch in reversed(trace.epochs):
            if not _is_since(epoch, since):
                break
            for requested, received in zip(reversed(epoch.requested), reversed(epoch.received), strict=True):
                if received < since:
                    break
                longest = max(longest, (received - requested, trace.name))
    return longest


def _is_since(epoch: EpochTrace, since: float) -> bool:
    return bool(epoch.received) and epoch.received[-1] >= since


def line_of(before: tuple[float, int, float], now: tuple[float, int, float], longest: tuple[float, str]) -> str:
    """Return the line: two moments, each with its time, steps and seconds waited so far, and the longest wait.

    >>> line_of((0.0, 0, 0.0), (10.0, 200, 4.1), (1.2, "train.py:31"))
    'step 200 · 20 steps/s · waiting for data 41% of the time · slowest wait 1.2 s (train.py:31)'
    """
    seconds = now[0] - before[0]
    text = f"step {now[1]}"
    if seconds > 0:
        share = min(1.0, (now[2] - before[2]) / seconds)
        text += f" · {(now[1] - before[1]) / seconds:.3g} steps/s · waiting for data {share:.0%} of the time"
    wait = f"{longest[0]:.3g} s" if longest[0] >= 1 else f"{1e3 * longest[0]:.3g} ms"
    return f"{text} · slowest wait {wait} ({longest[1]})" if longest[1] else text

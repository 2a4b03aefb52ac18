"""Progress: how far the run is, what the last case showed, and how long the rest will take."""

from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import Any

import pytest


@dataclass(slots=True)
class Progress:
    """One line that is rewritten on a terminal; elsewhere a plain line as each case ends."""

    terminal: pytest.TerminalReporter
    total: int
    done: int = 0
    _began: float = field(default_factory=monotonic)

    def tick(self, name: str, round_: int, rounds: int) -> None:
        """A round of `name` is about to begin; says so on a terminal."""
        if self.live:
            self._rewrite(f"{self._count()} {name} · round {round_ + 1} of {rounds}{self._left()}")

    def ended(self, name: str, outcome: str) -> None:
        """A case ended: `outcome` is its rate, or why there is none."""
        self.done += 1
        line = f"{self._count()} {name} {outcome}{self._left()}"
        if self.live:
            self._rewrite(line)
        else:
            self.terminal.write_line(line)

    def clear(self) -> None:
        """Leave the line to whoever writes next."""
        if self.live:
            self.terminal.rewrite("", erase=True)

    @property
    def live(self) -> bool:
        """Whether there is a terminal to rewrite a line on, which -v would break up."""
        return bool(self.terminal.isatty) and self.terminal.verbosity <= 0

    def _rewrite(self, line: str) -> None:
        width = self.terminal._tw.fullwidth - 1  # noqa: SLF001 - pytest has no public word for it
        self.terminal.rewrite(line[:width], erase=True)

    def _count(self) -> str:
        return f"[{self.done:{len(str(self.total))}}/{self.total}]"

    def _left(self) -> str:
        if not self.done or self.done == self.total:
            return ""
        minutes, seconds = divmod(round((monotonic() - self._began) / self.done * (self.total - self.done)), 60)
        return f" · {minutes}:{seconds:02} left"


def shown(extra_info: dict[str, Any]) -> str:
    """What a case showed, in a few words: throughput over all rounds, or a median of what else was read."""
    rounds = extra_info.get("rounds", {})
    if "samples" in rounds:
        return f"{sum(rounds['samples']) / sum(rounds['seconds']):,.0f} samples/s"
    if "truth" in rounds:
        ratio = median(reading / truth for reading, truth in zip(rounds["reading"], rounds["truth"], strict=True))
        return f"{ratio - 1:+.2%} of the truth"
    if "pss_bytes" in rounds:
        added = median(pss - base for pss, base in zip(rounds["pss_bytes"], rounds["base_pss_bytes"], strict=True))
        return f"{added / 2**20:z,.0f} MiB added"
    return f"{median(rounds['seconds']):.3f} s" if "seconds" in rounds else ""

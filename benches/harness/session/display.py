"""What a session shows in place of pytest's letters: one progress of all cases, and a line for each that failed."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import monotonic

import pytest

from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.session.time_left import CaseCost, TimeLeft


@dataclass(slots=True)
class Display:
    """The cases of a session on the terminal; nothing where pytest is verbose: it then has a line for each case."""

    config: pytest.Config
    progress: Progress | None = None
    _time_left: TimeLeft = field(default_factory=lambda: TimeLeft({}))
    _last_end: float = field(default_factory=monotonic)  # when the last case ended

    def begin(self, costs: Mapping[str, CaseCost]) -> None:
        """Show the progress of the cases named in `costs`."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or terminal.verbosity > 0:
            return
        terminal.showfspath = False
        terminal._show_progress_info = False  # noqa: SLF001 - pytest's own percentage, at the end of our line
        self._time_left = TimeLeft(costs)
        stream = terminal._tw._file  # noqa: SLF001 - pytest has no public word for it
        self.progress = Progress(len(costs), stream=stream, is_live=terminal.isatty)
        self._last_end = monotonic()
        self.progress.estimate_by(lambda: self._time_left.seconds(monotonic() - self._last_end))

    def hide(self) -> None:
        """Show nothing from now on: another shows what is measured."""
        self.progress = None

    def begin_round(self, name: str, done: int, rounds: int) -> None:
        """Show that the case `name` has done `done` of `rounds` rounds."""
        if self.progress is None:
            return
        capture = self.config.pluginmanager.get_plugin("capturemanager")  # which would swallow what is shown in a test
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            self.progress.describe(f"{name} · round {done + 1} of {rounds}")

    def end_case(self, name: str, words: str, *, is_measured: bool) -> None:
        """Show that the case `name` has ended, and how in `words`: in a line that stays, if it was not measured."""
        self._time_left.ended(name, monotonic() - self._last_end)
        self._last_end = monotonic()
        if self.progress is None:
            return
        if not is_measured:
            self.progress.say(f"{name} {words}")
            words = words.partition(":")[0]  # the reason has been said
        self.progress.advance(text=f"{name} {words}")

    def finish(self, cases: Collection[str]) -> None:
        """End the progress, and keep pytest from showing once more those of `cases` that failed."""
        if self.progress is None:
            return
        self.progress.finish(is_whole=self.progress.done >= self.progress.total)
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self.config.option.tbstyle != "auto":
            return
        bad = [*terminal.stats.get("failed", ()), *terminal.stats.get("error", ())]
        if all(report.nodeid.partition("::")[2] in cases for report in bad):
            self.config.option.tbstyle = "no"
            terminal.reportchars = "".join(set(terminal.reportchars) - set("fE"))

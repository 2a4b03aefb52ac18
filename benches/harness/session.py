"""One session: what is planned, what has ended, and the record of it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from string import hexdigits
from typing import Any, cast

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures import reason, skip_reason
from loaderbench.benches.harness.lockstep import Lockstep, Unpaired, connect
from loaderbench.benches.harness.options import Options
from loaderbench.benches.harness.progress import Progress, shown
from loaderbench.benches.harness.record import Entry, Journal, earlier, held, identity, now, unused
from loaderbench.benches.harness.system import machine
from loaderbench.reports.records.schema import JOURNAL, SCHEMA

# What must be the same before rounds of two sessions may stand in one record.
_SAME = ("cpu_model", "cpus_affinity", "cpus_quota", "python", "torch", "accelerator", "environment")


@dataclass
class Session:
    """State of the plugin; fetched from pytest by `Session.of`."""

    config: pytest.Config
    options: Options
    lockstep: Lockstep = field(default_factory=Unpaired)
    planned: list[str] = field(default_factory=list)
    kept: list[Entry] = field(default_factory=list)  # cases that an earlier part of this run recorded
    head: Entry = field(default_factory=dict)  # and what that part said of itself
    journal: Journal | None = None
    progress: Progress | None = None
    record: Path | None = None
    fault: str = ""  # why there is no record

    NAME = "loaderbench-session"

    @classmethod
    def of(cls, config: pytest.Config) -> "Session":
        """This session's state."""
        return cast("Session", config.pluginmanager.get_plugin(cls.NAME))

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> "Session":
        """A session with the options as given, and with what a run to resume already holds."""
        lockstep = connect(config.getoption("lockstep"))
        options = Options.from_pytest(config, lockstep.agree)
        session = cls(config=config, options=options, lockstep=lockstep)
        if config.getoption("run_dir"):
            _refuse_to_replace(session.folder, resumed=config.getoption("resume"))
        if config.getoption("resume"):
            session.head, session.kept = _resumed(session.folder)
        return session

    @cached_property
    def folder(self) -> Path:
        """Where the record goes: as asked, or ``runs/<when>-<commit>``."""
        if given := self.config.getoption("resume") or self.config.getoption("run_dir"):
            folder = Path(given)
            return folder.parent if folder.is_file() else folder
        commit = str(self._commit().get("id", "")).strip()[:8]
        return Path("runs") / f"{now():%Y%m%d-%H%M%S}-{commit if set(commit) <= set(hexdigits) else 'nocommit'}"

    @cached_property
    def machine(self) -> Entry:
        """The machine, as it was first looked at."""
        return machine.facts()

    @property
    def _disabled(self) -> bool:
        benchmarks = self.config.pluginmanager.get_plugin("pytest-benchmark")
        return bool(getattr(benchmarks, "disabled", False))  # --benchmark-disable, or xdist: nothing is timed

    def plan(self, items: list[pytest.Item]) -> None:
        """Shuffle the cases, lest the machine's drift pass for a setting's effect; drop the recorded ones."""
        cases = [item for item in items if is_case(item)]
        if not cases:
            return
        recorded = {key(entry["benchmark"]["extra_info"]) for entry in self.kept}
        done = [case for case in cases if key(self.described(case)) in recorded]
        left = [case for case in cases if case not in done]
        random.Random(self.options.seed).shuffle(left)  # noqa: S311 - an order, not a secret
        left = self._agreed(left)
        items[:] = [item for item in items if not is_case(item)] + left
        self.planned = [case.name for case in left]
        if done and not left and not self.config.option.collectonly:
            self._journal()  # nothing is left to run but to complete the record
        if done:
            self.config.hook.pytest_deselected(items=done)
        if terminal := self.config.pluginmanager.get_plugin("terminalreporter"):
            self.progress = Progress(terminal=terminal, total=len(left))
            terminal.showfspath = terminal.verbosity > 0  # a case is named by its own line

    def note(self, item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Put an ended case on disk and on the screen."""
        if not is_case(item) or (report.passed and report.when != "call"):
            return
        kind, entry, words = self._ending(item, report, call)
        if self.progress is not None:
            self.progress.ended(item.name, words)
        if entry and not self._disabled:
            try:
                self._journal().add(kind, entry)
            except OSError as error:  # a disk that is full: what comes after could not be recorded either
                item.session.shouldfail = f"{self.folder} cannot be written: {error.strerror}"

    def _ending(
        self, item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]
    ) -> tuple[str, Entry, str]:
        named: Entry = {"name": item.name, **self.described(item)}
        if report.passed:
            stats = item.funcargs["benchmark"].stats  # type: ignore[attr-defined]
            entry = stats.as_dict(include_data=True) if stats else {}
            return "benchmark", entry, shown(entry["extra_info"]) if entry else "ran once"
        if report.skipped or call.excinfo is None:
            why = skip_reason(report)
            return "skipped", {**named, "reason": why}, f"skipped: {why}"
        why = reason(call.excinfo.value)
        return "failed", {**named, "reason": why, "phase": str(report.when)}, f"FAILED: {why}"

    def described(self, item: pytest.Item) -> Entry:
        """A case's identity: its bench, and every setting."""
        bench = item.originalname.removeprefix("bench_")  # type: ignore[attr-defined]
        params = item.callspec.params if hasattr(item, "callspec") else {}
        return {"bench": bench, "settings": {**params, **self.options.extras}}

    def _agreed(self, cases: list[pytest.Item]) -> list[pytest.Item]:
        """The cases that the other side has as well, in the order that both take; all of them where there is none."""
        introduced = [{"name": case.name, **self.described(case)} for case in cases]
        agreed = self.lockstep.introduce(introduced)
        if agreed is None:
            return cases
        by_name = {case.name: case for case in cases}
        return [by_name[name] for name in agreed]

    def begin(self, item: pytest.Item) -> None:
        """Wait for the turn to set up a case, in the place where it is to run."""
        if not is_case(item):
            return
        self.lockstep.wait(item.name, -1)
        if self.options.placement is not None:
            self.machine  # noqa: B018 - read before this process is held to one core
            self.options.placement.settle()

    def tick(self, name: str, done: int, rounds: int) -> None:
        """A round of the case `name` is about to begin, after `done` of `rounds`, once it is its turn."""
        self.lockstep.wait(name, done)
        if self.progress is not None:
            self.progress.tick(name, done, rounds)

    def status(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No letter for a case, which has a line of its own; None leaves the report to pytest."""
        quiet = self.progress is not None and self.progress.terminal.verbosity <= 0
        ended = report.when == "call" or not report.passed
        mine = quiet and ended and report.nodeid.partition("::")[2] in self.planned
        return (report.outcome, "", report.outcome.upper()) if mine else None

    def close(self, status: int) -> int:
        """Complete the record; the session's exit status, in view of that."""
        if self.progress is not None:
            self.progress.clear()
        if self.journal is None:
            return status
        try:
            self.record = self.journal.close()
        except OSError as error:
            self.fault = error.strerror or str(error)
            return status or pytest.ExitCode.TESTS_FAILED
        idle = status == pytest.ExitCode.NO_TESTS_COLLECTED  # a resumed run that lacked nothing
        return pytest.ExitCode.OK if idle else status

    def summarise(self, terminal: pytest.TerminalReporter) -> None:
        """Say where the record is, and what to do next."""
        if self.journal is None:
            return
        counts = {kind: len(self.journal.of(kind)) for kind in ("benchmark", "failed", "skipped")}
        missing = len(self.journal.missing)
        late = f", {missing} not reached" if missing else ""
        terminal.section("loaderbench")
        terminal.write_line("{benchmark} cases measured, {failed} failed, {skipped} skipped".format(**counts) + late)
        terminal.write_line(
            f"record: {self.record or self.folder / JOURNAL}" + (f" ({self.fault})" if self.fault else "")
        )
        terminal.write_line(f"report: loaderbench report {self.folder}")
        if missing or counts["failed"]:
            terminal.write_line(f"resume: the same command with --resume {self.folder}")

    def sign(self, output: Entry) -> None:
        """Add our block to pytest-benchmark's own JSON (``--benchmark-json``, ``--benchmark-save``)."""
        if self.journal is not None:
            output["loaderbench"] = self.journal.whole()["loaderbench"]

    def _journal(self) -> Journal:
        if self.journal is None:
            if not (self.config.getoption("resume") or self.config.getoption("run_dir")):
                self.folder = unused(self.folder)
            self.journal = Journal(folder=self.folder, head=self._head(), entries=list(self.kept))
            self.journal.open()
        return self.journal

    def _commit(self) -> Entry:
        commit: Entry = self.config.hook.pytest_benchmark_generate_commit_info(config=self.config)
        return commit

    def _head(self) -> Entry:
        head = self.head or {
            "machine_info": self.config.hook.pytest_benchmark_generate_machine_info(config=self.config),
            "commit_info": self._commit(),
            "datetime": now().isoformat(),
            "version": version("pytest-benchmark"),
            "loaderbench": _block(self.machine),
        }
        kept = [entry["benchmark"]["name"] for entry in self.kept]
        order = list(dict.fromkeys([*kept, *self.planned, *head["loaderbench"].get("order", [])]))
        plan = {"planned": len(order), "order": order, "seed": self.options.seed}
        command = {"command": [str(argument) for argument in self.config.invocation_params.args]}
        return {**head, "loaderbench": {**head["loaderbench"], **plan, **command}}


def is_case(item: pytest.Item) -> bool:
    """Whether `item` is one of our cases, not a test."""
    return "measure" in getattr(item, "fixturenames", ())


def key(described: Mapping[str, Any]) -> str:
    """A case's identity as text."""
    return f"{described['bench']} {sorted(described['settings'].items())}"


def _block(facts: Entry) -> Entry:
    return {
        "schema": SCHEMA,
        "run": identity(),
        "version": version("loaderbench"),
        "started": now().isoformat(),
        "finished": None,
        "complete": False,
        "machine": facts,
    }


def _refuse_to_replace(folder: Path, *, resumed: str) -> None:
    if resumed:
        raise RefusedError("--resume and --run-dir both say where the record goes: give one")
    for name in held(folder):
        raise RefusedError(
            f"--run-dir {folder}: {name} of an earlier run is there. Go on with --resume {folder}, or name a new folder"
        )


def _resumed(folder: Path) -> tuple[Entry, list[Entry]]:
    try:
        head, entries = earlier(folder)
        there = head["loaderbench"]["machine"]
    except (OSError, ValueError, KeyError) as error:
        raise RefusedError(f"--resume {folder}: {error}") from error
    here = machine.facts()
    differ = [f"{name} was {there.get(name)}, is {here[name]}" for name in _SAME if there.get(name) != here[name]]
    if differ:
        raise RefusedError(f"--resume {folder}: not the machine it began on ({'; '.join(differ)}). Start a new run")
    return head, [entry for entry in entries if "benchmark" in entry]

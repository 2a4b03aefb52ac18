"""One session: what is planned, what has ended, and the record of it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from string import hexdigits
from typing import Any, cast

import pytest

from loaderbench.benches.harness.cases import grid
from loaderbench.benches.harness.cases.pytest_options import Options
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.ranks.ray_ranks import ray_settings
from loaderbench.benches.harness.session import configuration
from loaderbench.benches.harness.session.display import Display
from loaderbench.benches.harness.session.outcome import ending
from loaderbench.benches.harness.session.peers import NoPeers, Peers, connect
from loaderbench.benches.harness.session.rank_member import RankMember
from loaderbench.benches.harness.session.record import Entry, RunRecord, about_run, make_new_folder, now, unused_folder
from loaderbench.benches.harness.session.resume import check_new, resumed
from loaderbench.benches.harness.session.time_left import CaseCost
from loaderbench.benches.harness.session.turns import SET_UP, TEAR_DOWN
from loaderbench.benches.harness.session.unbatchable import refuse_unbatchable
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.descriptors import Reserve
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.reports.records.schema import ENDINGS, GROWING_RECORD
from loaderbench.reports.units import count
from loaderbench.reports.vocabulary import case_identity


@dataclass
class Session:
    """State of the plugin; fetched from pytest by `Session.of`."""

    config: pytest.Config
    options: Options
    display: Display
    peers: Peers = field(default_factory=NoPeers)
    planned: list[str] = field(default_factory=list)
    measured_before: list[Entry] = field(default_factory=list)  # by an earlier part of this run
    header: Entry = field(default_factory=dict)  # and what that part recorded of itself
    record: RunRecord | None = None
    record_path: Path | None = None
    fault: str = ""  # why there is no record
    reserve: Reserve = field(default_factory=Reserve)
    nothing: str = ""  # why nothing was measured
    has_tests: bool = False  # beside the cases
    interruption: Interruption = field(default_factory=Interruption)  # entered while cases run
    is_quiet: bool = False  # whether another says what was measured
    on_warm_up: Callable[[str, Mapping[str, float]], object] = lambda *_: None  # after its first pass, with its name

    NAME = "loaderbench-session"

    @classmethod
    def of(cls, config: pytest.Config) -> "Session":
        """Return this session's state."""
        return cast("Session", config.pluginmanager.get_plugin(cls.NAME))

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> "Session":
        """Return a session with the options as given, and with what a run to resume has measured.

        Raises RefusedError.
        """
        peers = connect(config)
        options = Options.from_pytest(config, peers.agree)
        session = cls(config=config, options=options, display=Display(config), peers=peers)
        if config.getoption("resume") and config.getoption("run_dir"):
            raise RefusedError("--resume and --run-dir both say where the record goes: give one")
        if session.is_follower:
            return session
        if config.getoption("run_dir"):
            check_new(session.folder)
        if config.getoption("resume"):
            session.header, session.measured_before = resumed(session.folder)
        return session

    @property
    def member(self) -> RankMember | None:
        """Return what this process is among those that a launcher has started; None where it was started alone."""
        return self.peers if isinstance(self.peers, RankMember) else None

    @property
    def is_follower(self) -> bool:
        """Return whether another rank decides, writes and prints."""
        return self.member is not None and self.member.is_follower

    @cached_property
    def folder(self) -> Path:
        """Return where the record goes: as asked, or ``runs/<when>-<commit>``."""
        if given := self.config.getoption("resume") or self.config.getoption("run_dir"):
            folder = Path(given)
            return folder.parent if folder.is_file() else folder
        commit = str(self._commit().get("id", "")).strip()[:8]
        return unused_folder(commit if set(commit) <= set(hexdigits) else "nocommit")

    @cached_property
    def machine(self) -> Entry:
        """Return the machine's facts, as they were first read."""
        return machine.facts()

    def plan(self, items: list[pytest.Item]) -> None:
        """Drop the cases measured before; shuffle the others, lest the machine's drift look like a setting's effect.

        Raises RefusedError where none of them could read a batch.
        """
        cases = [item for item in items if is_case(item)]
        if not cases:
            return
        recorded = {_identity(entry["benchmark"]["extra_info"]) for entry in self.measured_before}
        done = [case for case in cases if _identity(self.described(case)) in recorded]
        left = [case for case in cases if case not in done]
        random.Random(self.options.seed).shuffle(left)  # noqa: S311 - an order, not a secret
        left = self._agreed(left)
        items[:] = [item for item in items if not is_case(item)] + left
        self.planned = [case.name for case in left]
        self.reserve.refill()
        self.has_tests = len(items) > len(left)
        if mark := configuration.not_as_errors(self.config):
            for case in left:
                case.add_marker(mark)
        if done and not left and not self.config.option.collectonly:
            self._opened_record()  # nothing is left to run but to complete the record
        if done:
            self.config.hook.pytest_deselected(items=done)
        if not (self.config.option.collectonly or self.has_tests):
            with_loader = [case for case in left if "loader" in getattr(case, "fixturenames", ())]
            refuse_unbatchable([self.described(case)["settings"] for case in with_loader], self.options)
        self.display.begin({case.name: self._cost(case) for case in left})

    def _cost(self, case: pytest.Item) -> CaseCost:
        described = self.described(case)
        dataset = str(described["settings"].get("dataset", ""))
        return CaseCost(bench=described["bench"], dataset=dataset, expected_s=grid.expected_s(case, self.options))

    def note(self, item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Put an ended case on disk and on the screen."""
        if self.is_follower or not is_case(item) or (report.passed and report.when != "call"):
            return
        kind, entry, words = ending(item, self.described(item), report, call)
        if kind == "failed" and self.config.option.tbstyle == "auto":
            report.longrepr = entry["reason"]  # one line; --tb=long shows the traceback
        self.display.end_case(item.name, words, is_measured=kind == "benchmark")
        if entry and not self._is_disabled:
            try:
                with self.reserve.released():
                    self._opened_record().add(kind, entry)
            except OSError as error:  # a disk that is full: what comes after could not be recorded either
                item.session.shouldfail = f"{self.folder} cannot be written: {error.strerror}"

    def described(self, item: pytest.Item) -> Entry:
        """Return what a case is: its bench, and every setting."""
        bench = item.originalname.removeprefix("bench_")  # type: ignore[attr-defined]
        params = item.callspec.params if hasattr(item, "callspec") else {}
        hosts = self.member.settings if self.member else {}
        if params.get("launcher") == "ray":
            hosts = ray_settings()
        return {"bench": bench, "settings": {**params, **self.options.extras, **hosts}}

    def _agreed(self, cases: list[pytest.Item]) -> list[pytest.Item]:
        """Return the cases that the other process has as well, in the order of both; without one, all of them."""
        names = self.peers.introduce([{"name": case.name, **self.described(case)} for case in cases])
        if names is None:
            return cases
        by_name = {case.name: case for case in cases}
        return [by_name[name] for name in names]

    def begin(self, item: pytest.Item) -> None:
        """Wait for the turn to set up a case.

        Raises KeyboardInterrupt if Ctrl-C was pressed where Python ignores it: in a finalizer, or before a fork.
        """
        if not is_case(item):
            return
        self.interruption.check()
        if configuration.is_xdist_worker(self.config):
            pytest.fail(configuration.SIDE_BY_SIDE, pytrace=False)
        self.peers.wait(item.name, SET_UP)

    def before_round(self, name: str, done: int, rounds: int) -> None:
        """Wait for the turn of a round of the case `name`, after `done` of `rounds`, and show it."""
        self.peers.wait(name, done)
        self.display.begin_round(name, done, rounds)

    def before_end(self, name: str) -> None:
        """Wait for the turn to end the processes of the case `name`, whose rounds are done."""
        self.peers.wait(name, TEAR_DOWN)

    def status(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Return no letter for a case, which the progress shows; None leaves the report to pytest."""
        ended = report.when == "call" or not report.passed
        shown = self.display.progress is not None and ended and report.nodeid.partition("::")[2] in self.planned
        return (report.outcome, "", report.outcome.upper()) if shown else None

    def close(self, status: int) -> int:
        """Complete the record; return the session's exit status, in view of that."""
        self.reserve.release()  # pytest's cache needs some too
        self.display.finish(self.planned)
        if self.is_follower:
            return status
        measured = self.record.of("benchmark") if self.record else []
        is_green = status in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if self.planned and is_green and not (measured or self.has_tests or self.config.option.collectonly):
            self.nothing = self._why_nothing_was_measured()
            status = pytest.ExitCode.USAGE_ERROR
        if self.record is None:
            return status
        try:
            self.record_path = self.record.close()
        except OSError as error:
            self.fault = error.strerror or str(error)
            return status or pytest.ExitCode.TESTS_FAILED
        is_idle = status == pytest.ExitCode.NO_TESTS_COLLECTED  # a resumed run that lacked nothing
        return pytest.ExitCode.OK if is_idle else status

    def _why_nothing_was_measured(self) -> str:
        skipped = [case["reason"] for case in self.record.of("skipped")] if self.record else []
        is_skipping = self.config.getoption("benchmark_skip")
        return configuration.why_nothing_was_measured(skipped, is_disabled=self._is_disabled, is_skipping=is_skipping)

    def summary(self) -> list[str]:
        """Return lines that say what was measured, where the record is and what to do next; none without a record."""
        if self.record is None:
            return [self.nothing] if self.nothing else []
        if self.is_quiet:
            return [fault for fault in (self.nothing, self.fault) if fault]
        measured, failed, skipped = (len(self.record.of(kind)) for kind in ENDINGS)
        missing = len(self.record.missing)
        late = f", {missing} not reached" if missing else ""
        fault = f" ({self.fault})" if self.fault else ""
        lines = [
            f"{count(measured, 'case')} measured, {failed} failed, {skipped} skipped{late}",
            f"record: {self.record_path or self.folder / GROWING_RECORD}{fault}",
            f"report: loaderbench report {self.folder}",
        ]
        if self.nothing:
            lines.append(self.nothing)
        if missing or failed:
            lines.append(f"resume: the same command with --resume {self.folder}")
        return lines

    def sign(self, output: Entry) -> None:
        """Add ``loaderbench`` to pytest-benchmark's own JSON (``--benchmark-json``, ``--benchmark-save``)."""
        if self.record is not None:
            output["loaderbench"] = self.record.whole()["loaderbench"]

    @property
    def _is_disabled(self) -> bool:
        benchmarks = self.config.pluginmanager.get_plugin("pytest-benchmark")
        return bool(getattr(benchmarks, "disabled", False))  # --benchmark-disable, or xdist: nothing is timed

    def _opened_record(self) -> RunRecord:
        if self.record is None:
            if not (self.config.getoption("resume") or self.config.getoption("run_dir")):
                self.folder = make_new_folder(self.folder)
            self.record = RunRecord(folder=self.folder, header=self._header(), entries=list(self.measured_before))
            self.record.open()
        return self.record

    def _commit(self) -> Entry:
        commit: Entry = self.config.hook.pytest_benchmark_generate_commit_info(config=self.config)
        return commit

    def _header(self) -> Entry:
        header = self.header or {
            "machine_info": self.config.hook.pytest_benchmark_generate_machine_info(config=self.config),
            "commit_info": self._commit(),
            "datetime": now().isoformat(),
            "version": version("pytest-benchmark"),
            "loaderbench": about_run(self.machine),
        }
        names = [entry["benchmark"]["name"] for entry in self.measured_before]
        order = list(dict.fromkeys([*names, *self.planned, *header["loaderbench"].get("order", [])]))
        plan = {"planned": len(order), "order": order, "seed": self.options.seed}
        command = {"command": [str(argument) for argument in self.config.invocation_params.args]}
        return {**header, "loaderbench": {**header["loaderbench"], **plan, **command}}


def is_case(item: pytest.Item) -> bool:
    """Return whether `item` is one of our cases, not a test."""
    return "measure" in getattr(item, "fixturenames", ())


def _identity(described: Mapping[str, Any]) -> str:
    return case_identity(described["bench"], described["settings"])

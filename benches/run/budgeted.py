"""The pytest plugin of ``loaderbench run``: an answer within ``--budget``, or plain benches where they are asked for.

`reports.stats.next_rounds` decides which case gets the next rounds. A case is run again for them, each time in a
process of its own, and the record puts its rounds together.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import exp, log
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.session.session import Session, is_case
from loaderbench.benches.run import first_question
from loaderbench.benches.run.deadline import Deadline
from loaderbench.reports.stats.next_rounds import Allocation, Candidate, Round
from loaderbench.reports.units import parse_time, quantity
from loaderbench.reports.vocabulary import sample_rate, speed_only_settings
from loaderbench.reports.wording import size_key, spoken

OUR_BENCHES = "loaderbench.benches"
DEFAULT_BUDGET = "1m"
# Kept for the report, which imports and draws for about as long as pytest and torch took to be imported.
LEAST_REPORT_S, REPORT_OVER_IMPORTS = 3.0, 1.0


@dataclass(eq=False)  # pytest keeps plugins by their hash
class BudgetedRun:
    """Leaves our benches out where others are named, keeps the budget, notes Ctrl-C, and where the record is.

    pytest's own exit code for Ctrl-C is also that of an error during collection.
    """

    began: float = field(default_factory=time.monotonic)
    """When the budget began to count, by `time.monotonic`."""
    budget_s: float = 0.0
    """0: plain benches."""
    interrupted: bool = False
    fault: str = ""
    """Why there is no answer."""
    record_path: Path | None = None
    _ends_at: float = 0.0
    """When the last round must have ended, by `time.monotonic`."""
    _items: dict[str, pytest.Item] = field(default_factory=dict)
    _allocation: Allocation = field(default_factory=lambda: Allocation(candidates=()))
    _progress: Progress | None = None
    _rounds: list[Round] = field(default_factory=list)
    """Of the visit under way."""
    _is_in_case: bool = False
    _closing: ExitStack = field(default_factory=ExitStack)

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        group = parser.getgroup("loaderbench")
        group.addoption(
            "--budget",
            metavar="TIME",
            help="Time for the whole command, such as 2m (default: 1m): of a run that is given --dataset or "
            "--from-loader and does not choose its cases or rounds by --quick, --full, -k, --rounds or files.",
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Decide what kind of run it is, before the harness reads its options."""
        names_files = len(config.args) > 1
        if names_files:
            config.args.remove(OUR_BENCHES)
        try:
            self.budget_s = self._budget_s(config, "files of benches" if names_files else "")
        except RefusedError as error:
            raise pytest.UsageError(str(error)) from error
        if self.budget_s:
            report_s = max(LEAST_REPORT_S, REPORT_OVER_IMPORTS * (time.monotonic() - self.began))
            self._ends_at = self.began + self.budget_s - report_s
            config.args[:] = first_question.BENCHES
            first_question.ask(config, self.budget_s)
            _be_quiet(config)
            config.add_cleanup(self._closing.close)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if self.budget_s:
            if terminal := _terminal(session.config):
                terminal._report_keyboardinterrupt = lambda: None  # noqa: SLF001 - the report says how far it came
            left_s = self.began + self.budget_s - time.monotonic()
            self._closing.enter_context(Deadline(left_s, self._expire))

    def _budget_s(self, config: pytest.Config, files: str) -> float:
        given = config.getoption("budget")
        other = files or first_question.other_question(config)
        if given is None:
            return 0.0 if other or not first_question.has_subject(config) else parse_time(DEFAULT_BUDGET)
        if other:
            raise RefusedError(f"--budget and {other} both say how much is measured: give one")
        if not first_question.has_subject(config):
            raise RefusedError("--budget needs --dataset or --from-loader: it is the time for an answer about it")
        try:
            budget_s = parse_time(given)
        except ValueError as error:
            raise RefusedError(f"--budget {error}") from error
        if not 0 < budget_s < float("inf"):
            raise RefusedError(f"--budget must be more than 0, got {given}")
        return budget_s

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Of a dataset with a model keep the cases with training, which time the loader alone too; else the others."""
        if not self.budget_s:
            return
        options = Session.of(config).options
        trained = {name for name in map(_dataset, items) if options.model.is_known_for(options.datasets.subject(name))}
        items[:] = [item for item in items if (_bench(item) == "training") == (_dataset(item) in trained)]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say what stops collection: the quiet form of pytest would not."""
        if self.budget_s and report.failed:
            print(f"loaderbench: {' '.join(str(report.longrepr).split())}")  # noqa: T201

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not self.budget_s:
            return
        harness = Session.of(session.config)
        harness.display.hide()  # its total is a number of cases: here it is a time
        harness.is_quiet, harness.on_warm_up = True, self._say_first_pass
        cases = [item for item in session.items if is_case(item)]
        self._items = {item.name: item for item in cases}
        cases.sort(key=lambda item: size_key(harness.described(item)["settings"]))
        self._allocation = Allocation(
            candidates=[Candidate(name=item.name, group=_group(harness, item)) for item in cases],
            first=[item.name for item in [*cases[:1], *reversed(cases[1:])]],
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the case that the allocation names, until it names none."""
        if not self.budget_s or session.testsfailed:
            return None
        terminal = _terminal(session.config)
        stream = terminal._tw._file if terminal else None  # noqa: SLF001 - as the harness does
        self._progress = Progress.of_budget(max(0.0, self._left_s()), stream=stream)
        self._closing.close()
        self._closing.enter_context(Deadline(self._left_s(), self._expire))
        try:
            while name := self._allocation.next(self._left_s()):
                self._visit(self._items[name])
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        finally:
            self._closing.close()
            self._progress.clear()
        self._note_unseen(Session.of(session.config))
        return True

    def _left_s(self) -> float:
        return self._ends_at - time.monotonic()

    def _expire(self) -> None:
        """End what is under way: a case is skipped; before any case, there is nothing to go on."""
        budget = f"--budget {quantity(self.budget_s, 's')}"
        if self._is_in_case:
            pytest.skip(f"it did not end within {budget}: give it more, or a smaller --batch-size")
        if self._progress is None:
            self.fault = f"cannot tell: within {budget} the dataset was not there, or not its first batch: give it more"
            raise KeyboardInterrupt(self.fault)  # which ends pytest wherever it is, and is no error of the user's

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Any:
        return (yield from self._in_case())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Any:
        return (yield from self._in_case())

    def _in_case(self) -> Any:
        self._is_in_case = True
        try:
            return (yield)
        finally:
            self._is_in_case = False

    def _visit(self, item: pytest.Item) -> None:
        if self._progress is not None:
            self._progress.describe(_words(item))
        self._rounds = []
        is_first = not self._allocation.by_name[item.name].is_seen
        harness = Session.of(item.config)
        harness.options = replace(harness.options, rounds=self._allocation.rounds(item.name))
        began = time.monotonic()
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        self._allocation.add(item.name, self._rounds, time.monotonic() - began)
        if is_first:
            self._say_first(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Keep what a visit showed."""
        report = yield
        if self.budget_s and is_case(item) and report.when == "call" and report.passed:
            extra_info = item.funcargs["benchmark"].extra_info  # type: ignore[attr-defined]
            self._rounds = [Round(**logs) for logs in _logs(extra_info.get("rounds", {}))]
        elif self.budget_s and self._progress and report.failed and call.excinfo is not None:
            self._progress.say(f"{_words(item)} failed: {reason(call.excinfo.value)}")
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        return (report.outcome, "", "") if self.budget_s else None

    def _say_first_pass(self, name: str, metrics: Mapping[str, float]) -> None:
        """Say what the long first passes of the first two cases show: rounds that count come later."""
        item, seen = self._items[name], [one for one in self._allocation.candidates if one.is_seen]
        line = first_question.first_pass_line(_words(item), metrics, sample_rate(_dataset(item)))
        if line and self._progress is not None and len(seen) < 2:  # noqa: PLR2004
            self._progress.say(line)

    def _say_first(self, item: pytest.Item) -> None:
        """Say what one process reads in a second, and beside it what the workers of the first case that has some do."""
        seen = [candidate for candidate in self._allocation.candidates if candidate.rounds]
        candidate = self._allocation.by_name[item.name]
        if self._progress is None or candidate not in seen or len(seen) > 2:  # noqa: PLR2004
            return
        line = f"{_words(item)}: {quantity(_rate(candidate), sample_rate(_dataset(item)))}"
        others = [other for other in seen if other is not candidate]
        times = f", {quantity(_rate(candidate) / _rate(others[0]), 'ratio')} one process" if others else ""
        self._progress.say(f"{line}{times}")

    def _note_unseen(self, harness: Session) -> None:
        """Record the cases that the budget had no time for as skipped."""
        for candidate in self._allocation.candidates:
            if harness.record is not None and not candidate.is_seen:
                why = f"not reached within --budget {self.budget_s:g}s"
                described = harness.described(self._items[candidate.name])
                harness.record.add("skipped", {"name": candidate.name, **described, "reason": why})

    def pytest_keyboard_interrupt(self, excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
        self.interrupted = excinfo.type is KeyboardInterrupt and not self.fault

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        if harness := config.pluginmanager.get_plugin(Session.NAME):
            self.record_path = harness.record_path


def _be_quiet(config: pytest.Config) -> None:
    """Leave what is said to the run: no header, no tables, no summary of pytest's or pytest-benchmark's."""
    config.option.verbose = -2
    config.option.no_header = config.option.no_summary = config.option.benchmark_quiet = True


def _terminal(config: pytest.Config) -> Any:
    """Return pytest's reporter on the terminal, if there is one."""
    return config.pluginmanager.get_plugin("terminalreporter")


def _bench(item: pytest.Item) -> str:
    return item.originalname.removeprefix("bench_")  # type: ignore[attr-defined,no-any-return]


def _dataset(item: pytest.Item) -> str:
    return str(item.callspec.params["dataset"])  # type: ignore[attr-defined]


def _words(item: pytest.Item) -> str:
    """Return what distinguishes a case: its workers, or that there is one process alone."""
    settings = item.callspec.params  # type: ignore[attr-defined]
    return spoken(settings, ["num_workers"]) if settings.get("num_workers") else "one process"


def _group(harness: Session, item: pytest.Item) -> tuple[tuple[str, object], ...]:
    """Return the settings that a case must share with those it is compared with: all but those of speed alone."""
    settings = harness.described(item)["settings"]
    return tuple(sorted((name, value) for name, value in settings.items() if name not in speed_only_settings()))


def _logs(rounds: dict[str, list[float]]) -> list[dict[str, float]]:
    """Return for each round the logarithms of its rates, by the names of a `Round`."""
    prefixes = {"both": "", "loader": "loader_", "step": "step_"}
    columns = {
        name: [log(n / s) for n, s in zip(rounds[f"{prefix}samples"], rounds[f"{prefix}seconds"], strict=True)]
        for name, prefix in prefixes.items()
        if f"{prefix}seconds" in rounds and f"{prefix}samples" in rounds
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _rate(candidate: Candidate) -> float:
    """Return the samples per second of a candidate's first round: of the loader alone where that was timed."""
    first = candidate.rounds[0]
    return exp(first.both if first.loader is None else first.loader)

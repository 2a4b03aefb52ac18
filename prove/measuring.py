"""The topics are measured: each in a process of its own, which reports how far it is and what it knows already."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from time import monotonic

from loaderbench.benches.harness.progress import Progress, minutes
from loaderbench.benches.harness.system.child import dies_with_parent, end_openmp_threads
from loaderbench.benches.harness.system.interruption import late_ctrl_c
from loaderbench.benches.harness.system.machine import usable_cpus
from loaderbench.reports.documents.document import Table
from loaderbench.reports.units import count
from prove.goals import Result, Topic
from prove.scope import Measured, Scope, Stage

_FORK = get_context("fork")
INTERRUPTED = "interrupted"
SHORT_AT_ONCE = 3  # topics of the short form, which judges no value
ENDS_WITHIN_S = 20.0  # after Ctrl-C: a command then writes what it has


@dataclass(kw_only=True)
class RunningTopic:
    """The process that measures a topic, and what it has reported."""

    topic: Topic
    process: ForkProcess
    connection: Connection
    began_s: float
    kept: dict[str, Measured] = field(default_factory=dict)
    stage: Stage | None = None
    lines: list[str] = field(default_factory=list)  # to be said
    result: Result | None = None

    def receive(self) -> bool:
        """Take one report; return whether there may be more."""
        try:
            report = self.connection.recv()
        except (EOFError, ConnectionError):
            return False
        if isinstance(report, Stage):
            self.stage = report
        elif isinstance(report, str):
            self.lines.append(f"{self.topic.name}: {report}")
        elif isinstance(report, Mapping):
            self.kept.update(report)
        else:
            measured, details, fault = report
            self.result = Result(
                topic=self.topic,
                measured={**self.kept, **measured},
                details=details,
                fault=fault,
                is_whole=fault != INTERRUPTED,
            )
        return self.result is None

    def left_s(self, now_s: float) -> float:
        """Return the seconds that it may still take: by the parts that were measured, else by what it usually takes."""
        passed_s = now_s - self.began_s
        if self.stage is None or not self.stage.done:
            return max(0.0, 60 * self.topic.minutes - passed_s)
        return passed_s / self.stage.done * (self.stage.of - self.stage.done)

    def end(self) -> Result:
        """Return what came of the topic, once there are no more reports."""
        self.process.join(ENDS_WITHIN_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        if self.result is not None:
            return self.result
        fault = f"its process ended with exit code {self.process.exitcode}"
        return Result(topic=self.topic, measured=self.kept, fault=fault, is_whole=False)


@dataclass(kw_only=True)
class Measuring:
    """Topics in their order, one at a time where values count; `keep` is called with all results after each."""

    topics: Sequence[Topic]
    scope: Scope
    keep: Callable[[list[Result]], object] = lambda _: None
    results: dict[str, Result] = field(default_factory=dict)
    running: list[RunningTopic] = field(default_factory=list)

    def run(self) -> list[Result]:
        """Return what came of each topic; after Ctrl-C, of those that ended, with what the others had reported."""
        waiting = sorted(self.topics, key=lambda topic: -topic.minutes if self.scope.short else 0)
        with Progress(total=len(self.topics)) as self.progress:
            self.progress.estimate_by(self._left_s)
            try:
                while waiting or self.running:
                    with late_ctrl_c():  # else a process would be forgotten, or half a report read
                        while waiting and self._may_begin(waiting[0]):
                            self.running.append(_begun(waiting.pop(0), self.scope))
                        self._receive()
                    if self.running:
                        wait([running.connection for running in self.running], timeout=1.0)
            except KeyboardInterrupt:
                self._interrupt()
        return self.in_order()

    def in_order(self) -> list[Result]:
        """Return the result of each topic, measured or not yet."""
        unmeasured = {topic.name: Result(topic=topic, fault="not measured", is_whole=False) for topic in self.topics}
        return list({**unmeasured, **self.results}.values())

    def _may_begin(self, topic: Topic) -> bool:
        """Return whether `topic` may be measured beside those that are: where no value counts, or no clock is read."""
        if not self.running:
            return True
        if self.scope.short:
            return len(self.running) < SHORT_AT_ONCE
        no_clock = topic.is_arithmetic and all(running.topic.is_arithmetic for running in self.running)
        return no_clock and len(self.running) < usable_cpus()

    def _receive(self) -> None:
        for running in list(self.running):
            is_alive = running.process.is_alive()  # a process that it left behind may hold its end of the pipe
            is_open = running.receive() if running.connection.poll() else is_alive
            while running.lines:
                self.progress.say(running.lines.pop(0))
            if not is_open:
                self._end(running)
        if self.running:
            self.progress.describe("; ".join(map(_text, self.running)))

    def _end(self, running: RunningTopic) -> None:
        self.running.remove(running)
        result = self.results[running.topic.name] = running.end()
        self.keep(self.in_order())
        self.progress.say(
            f"{running.topic.name}: {minutes(monotonic() - running.began_s)}{_outcome(result, self.scope)}"
        )
        self.progress.advance()

    def _interrupt(self) -> None:
        """Pass Ctrl-C on to the topics that are measured, and take what they still report."""
        for running in self.running:
            with suppress(ProcessLookupError):
                os.killpg(running.process.pid or 0, signal.SIGINT)
        for running in list(self.running):
            while running.connection.poll(ENDS_WITHIN_S) and running.receive():
                pass
            self.results[running.topic.name] = running.end()

    def _left_s(self) -> float:
        now_s = monotonic()
        begun = {running.topic.name for running in self.running} | set(self.results)
        waiting_s = sum(60 * topic.minutes for topic in self.topics if topic.name not in begun)
        return waiting_s + sum(running.left_s(now_s) for running in self.running)


def _text(running: RunningTopic) -> str:
    stage = running.stage
    return running.topic.name if stage is None else f"{running.topic.name} {stage.done + 1}/{stage.of}: {stage.name}"


def _outcome(result: Result, scope: Scope) -> str:
    if result.fault:
        return f", {result.fault}"
    return "" if scope.short else f", {count(len(result.missed), 'goal')} of {len(result.topic.goals)} missed"


def _begun(topic: Topic, scope: Scope) -> RunningTopic:
    """Return a topic whose process has begun; it has a group of its own, which Ctrl-C reaches by `_interrupt` alone."""
    end_openmp_threads()
    here, there = _FORK.Pipe(duplex=False)
    folder = scope.folder / topic.name
    folder.mkdir()
    process = _FORK.Process(target=_measure, args=(topic, replace(scope, folder=folder), here, there))
    process.start()
    there.close()
    return RunningTopic(topic=topic, process=process, connection=here, began_s=monotonic())


def _measure(topic: Topic, scope: Scope, parents_end: Connection, connection: Connection) -> None:
    """Measure a topic, and send what came of it: the values, the details, and what stopped it."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    dies_with_parent()
    parents_end.close()
    measured: Mapping[str, Measured] = {}
    details: tuple[Table, ...] = ()
    fault = ""
    try:
        measured = topic.measure(replace(scope, report=connection.send))
        details = tuple(topic.details(scope)) if topic.details else ()
    except KeyboardInterrupt:
        fault = INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the other topics are measured all the same, and this one is not met
        fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
    connection.send((measured, details, fault))
    connection.close()

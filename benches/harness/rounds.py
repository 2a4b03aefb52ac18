"""Rounds: a warm-up that is thrown away, then passes long enough to time, under pytest-benchmark's clock."""

import gc
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import active_children
from typing import Any, Protocol, Self

from pytest_benchmark.fixture import BenchmarkFixture

from loaderbench.benches.harness.clock import Metrics
from loaderbench.benches.harness.record import columns
from loaderbench.benches.harness.system import processes

_MOST_PASSES = 1000  # in a round: a pass shorter than a five-thousandth of a second is not worth timing


class Work(Protocol):
    """What a bench measures: opened once for a case, then asked for rounds."""

    steady: bool  # whether a round may be made of several passes

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def before(self, passes: int) -> None:
        """Prepare a round of `passes` passes; not timed."""

    def run(self, passes: int) -> None:
        """Do the work of a round; timed."""

    def after(self) -> Metrics:
        """Return the metrics of the round in SI units, ``seconds`` among them; not timed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """The `measure` fixture: times `Work` and leaves settings, facts and rounds in the case's ``extra_info``."""

    benchmark: BenchmarkFixture
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    rounds: int
    round_s: float
    case_s: float  # fewer rounds where they would take longer
    before_round: Callable[[int], None]  # called with the number of rounds done so far; not timed
    agree: Callable[[str, int], int]  # with the other process of a comparison: both do the same work

    def __call__(self, work: Work, **facts: Any) -> None:
        """Measure `work`; `facts` are recorded together with the case's own."""
        with NoStrays(), work:
            if self.benchmark.disabled:
                self.benchmark.pedantic(_once, args=(work,))
                return
            warmup = self._warmup(work)
            pass_s = warmup[-1]["seconds"]
            passes = self.agree("passes", passes_in(self.round_s, pass_s)) if work.steady else 1
            count = self.agree("rounds", affordable(self.rounds, self.case_s, passes * pass_s))
            rounds = self._rounds(work, passes, count)
        self.benchmark.extra_info.update(
            settings=dict(self.settings),
            facts={**self.facts, **facts, "passes": passes, "steady": work.steady},
            rounds=columns(rounds),
            warmup=columns(warmup),
        )

    def _warmup(self, work: Work) -> list[Metrics]:
        """Return the metrics of one pass; and of one more, with running workers, where it may not have filled a round.

        What the workers took to start says nothing of how long a pass is.
        """
        first = _once(work)
        pass_s = first["seconds"] - first.get("first_batch_s", 0.0)
        return [first, _once(work)] if work.steady and pass_s < self.round_s else [first]

    def _rounds(self, work: Work, passes: int, count: int) -> list[Metrics]:
        rounds: list[Metrics] = []
        cpu_before_s = 0.0

        def before() -> None:
            nonlocal cpu_before_s
            self.before_round(len(rounds))
            work.before(passes)
            cpu_before_s = processes.cpu_s()

        def after() -> None:
            rounds.append({**work.after(), "cpu_s": processes.cpu_s() - cpu_before_s})

        gc.collect()
        self.benchmark.pedantic(lambda: work.run(passes), setup=before, teardown=after, rounds=count)
        return rounds


def passes_in(round_s: float, pass_s: float) -> int:
    """Return how many passes of `pass_s` fill a round.

    >>> passes_in(0.2, 0.05), passes_in(0.2, 3.0), passes_in(0.2, 0.0)
    (4, 1, 1000)
    """
    return max(1, min(_MOST_PASSES, math.ceil(round_s / max(pass_s, 1e-9))))


def affordable(rounds: int, case_s: float, round_s: float) -> int:
    """Return `rounds`, or as many as `case_s` has time for, but one at least.

    >>> affordable(5, math.inf, 0.2), affordable(5, 1.0, 0.4), affordable(5, 1.0, 9.0)
    (5, 2, 1)
    """
    return max(1, int(min(rounds, case_s / max(round_s, 1e-9))))


def _once(work: Work) -> Metrics:
    work.before(1)
    work.run(1)
    return work.after()


class NoStrays(AbstractContextManager["NoStrays"]):
    """Leaves no worker behind: those started within that still live at the end are ended."""

    def __enter__(self) -> Self:
        self._known = set(active_children())
        return self

    def __exit__(self, *_: object) -> None:
        processes.end(set(active_children()) - self._known)

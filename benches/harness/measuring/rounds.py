"""Rounds: a warm-up that is thrown away, then passes long enough to time, in a process of the case's own.

The process is forked from pytest's, which has built the dataset and read nothing of it: whatever a case leaves behind
(a cache, an open file, a thread pool, a state of CUDA) is gone with its process. pytest-benchmark's clock runs in
pytest's, over a request for one round and its answer; the `seconds` of the record are taken where the work is done.
"""

import gc
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from pytest_benchmark.fixture import BenchmarkFixture

from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.measuring.work import Metrics, Work, columns
from loaderbench.benches.harness.system.child import Child
from loaderbench.benches.harness.system.placement import Placement
from loaderbench.benches.harness.system.processes import NoStrays, cpu_s
from loaderbench.reports.records.slow_samples import SlowSample, as_entry

_MOST_PASSES = 1000  # in a round: a pass shorter than a five-thousandth of a second is not worth timing


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """The `measure` fixture: times `Work` and leaves settings, facts and rounds in the case's ``extra_info``."""

    benchmark: BenchmarkFixture
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    rounds: int
    round_s: float
    case_s: float  # fewer rounds where they would take longer
    warmed_up: Callable[[Metrics], object]  # called with the metrics of the first pass; not timed
    before_round: Callable[[int], None]  # called with the number of rounds done so far; not timed
    before_end: Callable[[], None]  # called once the rounds are done
    placement: Placement | None  # of the main process, during the rounds
    agree: Callable[[str, int], int]  # with the processes that measure the same case: all do the same work

    def __call__(self, work: Work, **facts: Any) -> None:
        """Measure `work` in a process forked for it; `facts` are recorded together with the case's own.

        Of what it does to its own attributes and to the dataset nothing comes back but the metrics.
        """
        with Child(MeasuredWork(work, self.placement)) as child:
            if self.benchmark.disabled:
                self.benchmark.pedantic(child.call, args=("once",))
                return
            is_steady, warmup = child.call("warm_up", self.round_s)
            self.warmed_up(warmup[0])
            pass_s = warmup[-1]["seconds"]
            passes = self.agree("passes", passes_in(self.round_s, pass_s)) if is_steady else 1
            count = self.agree("rounds", affordable(self.rounds, self.case_s, passes * pass_s))
            child.call("settle")
            rounds = self._rounds(child, passes, count)
            self.before_end()
            facts |= child.call("facts")
            ranks = child.call("ranks", len(rounds))
            slowest = as_entry(child.call("slow_samples"))
        self.benchmark.extra_info.update({"ranks": ranks} if ranks else {}, **({"slowest": slowest} if slowest else {}))
        self.benchmark.extra_info.update(
            settings=dict(self.settings),
            facts={**self.facts, **facts, "passes": passes, "steady": is_steady},
            rounds=columns(rounds),
            warmup=columns(warmup),
        )

    def _rounds(self, child: Child, passes: int, count: int) -> list[Metrics]:
        rounds: list[Metrics] = []

        def before() -> None:
            self.before_round(len(rounds))
            child.call("before", passes)

        self.benchmark.pedantic(
            lambda: child.call("run", passes, gc.isenabled()),  # --benchmark-disable-gc
            setup=before,
            teardown=lambda: rounds.append(child.call("after")),
            rounds=count,
        )
        return rounds


class MeasuredWork:
    """Work in the process that it is measured in; nothing that it starts outlives it."""

    def __init__(self, work: Work, placement: Placement | None) -> None:
        self._work = work
        self._placement = placement
        self._stack = ExitStack()
        self._cpu_before_s = 0.0

    def __enter__(self) -> Self:
        with self._stack as stack:
            stack.enter_context(NoStrays())
            with as_case_failure():  # while its workers are alive
                stack.enter_context(self._work)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @as_case_failure()
    def once(self) -> Metrics:
        """Return the metrics of one pass."""
        self._work.before(1)
        self._work.run(1)
        return self._work.after()

    @as_case_failure()
    def warm_up(self, round_s: float) -> tuple[bool, list[Metrics]]:
        """Return whether a round may be several passes, and the metrics of the warm-up.

        That is one pass; and one more, with running workers, where it may not have filled a round: what the workers
        took to start says nothing of how long a pass is.
        """
        first = self.once()
        pass_s = first["seconds"] - first.get("first_batch_s", 0.0)
        warmup = [first, self.once()] if self._work.steady and pass_s < round_s else [first]
        gc.collect()
        return self._work.steady, warmup

    def settle(self) -> None:
        """Go to the place where rounds are measured; so do processes below that have no place of their own."""
        if self._placement is not None:
            self._placement.settle()

    @as_case_failure()
    def before(self, passes: int) -> None:
        """Prepare a round."""
        self._work.before(passes)
        self._cpu_before_s = cpu_s()

    @as_case_failure()
    def run(self, passes: int, is_collecting: bool) -> None:
        """Do the work of a round; without the garbage collector where it is off in pytest's process."""
        if is_collecting:
            self._work.run(passes)
        else:
            gc.disable()
            self._work.run(passes)
            gc.enable()

    @as_case_failure()
    def after(self) -> Metrics:
        """Return the metrics of the round."""
        return {"cpu_s": cpu_s() - self._cpu_before_s, **self._work.after()}

    def facts(self) -> dict[str, Any]:
        """Return what the work knows of itself now that it is done."""
        return self._work.facts() if isinstance(self._work, Work) else {}

    def ranks(self, rounds: int) -> list[dict[str, Any]]:
        """Return the last `rounds` rounds of each rank, where there are ranks."""
        return self._work.ranks(rounds) if isinstance(self._work, Work) else []

    @as_case_failure()
    def slow_samples(self) -> tuple[SlowSample, ...]:
        """Return the samples that take longest, where the work can say."""
        return self._work.slow_samples() if isinstance(self._work, Work) else ()


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

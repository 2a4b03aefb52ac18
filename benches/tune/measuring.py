"""Trial after trial of a search, each in a process of its own, within the budget of time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.benches.tune.passes import Passes
from loaderbench.benches.tune.search import Search
from loaderbench.benches.tune.space import Space, TunedLoader
from loaderbench.benches.tune.trial import TrialTimes, trial
from loaderbench.reports.tune.tune_record import Trial

OVERRUN = 0.1  # of the budget: the most that a trial may exceed it by
PATIENCE, LEAST_PATIENCE_S = 10.0, 20.0  # times what a trial is expected to take: then it is lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """The trials of a space: `read` measures one, in this process."""

    subject: Subject
    consumer: Consumer
    space: Space
    passes: Passes

    def read(self, candidate: TunedLoader, block: int) -> TrialTimes:
        """Return what the passes of a setting showed; all settings of a block read in one order."""
        return trial(
            self.subject,
            replace(self.space.config_of(candidate), seed=block),
            self.consumer.ready(),
            batches=self.passes.batches_of(candidate.values),
            batch_samples=max(1, round(self.passes.batch_samples * self.passes.scale_of(candidate.values))),
            samples=self.passes.samples,
        )


def measure(
    search: Search,
    read: Callable[[TunedLoader, int], TrialTimes],
    *,
    began: float,
    interruption: Interruption,
    progress: Progress,
) -> None:
    """Measure what `search` asks for, until it is at an end or the budget is spent, which counts from `began`."""
    while (name := search.next(spent_s := monotonic() - began)) is not None:
        progress.describe(search.under_way(name))
        _measure_one(search, name, read, spent_s, interruption)
        interruption.check()


def _measure_one(
    search: Search,
    name: str,
    read: Callable[[TunedLoader, int], TrialTimes],
    spent_s: float,
    interruption: Interruption,
) -> None:
    """Measure a trial in a process of its own; one that fails in any way is lost, and the search goes on."""
    candidate, block, budget_s = search.space.known[name], search.race.block, search.race.budget_s
    left_s = budget_s - spent_s + OVERRUN * budget_s
    timeout_s = min(left_s, max(LEAST_PATIENCE_S, PATIENCE * search.passes.expected_s(candidate.values)))
    began = monotonic()
    try:
        times: TrialTimes = in_child(lambda: read(candidate, block), timeout_s=timeout_s)
    except Exception as error:  # noqa: BLE001 - a user's dataset may fail under a setting in any way
        interruption.check()
        search.lost(name, reason(error))
        return
    parts = {part: getattr(times, part) for part in TrialTimes.__slots__}
    search.measured(Trial(setting=name, block=block, seconds=monotonic() - began, **parts))

"""Does ``loaderbench explain`` find what is wrong? Datasets with one injected cause each, and one without any.

An injected cause must be said to help, at the command's own budget, and nothing may be ranked before it but what
removes the same cost. Of the dataset without any, nothing may be said to help or to harm. Memory that leaks, or that is
copied on write, must be reported as such, and so must what is seen without A/B passes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loaderbench.benches.harness.system.devices import available
from loaderbench.reports.documents.document import Cell, Column, Table, Tone
from loaderbench.reports.explain.memory_growth import copied_bytes, memory_growth
from loaderbench.reports.explain.ranking import Ranking, read_ranking
from loaderbench.reports.units import percent
from prove.commands import loaderbench
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

SHORT_BUDGET, QUICK = "5s", ("--budget", "20s")  # what is seen without A/B passes is seen first
NO_WORKERS = "workers where none would do"  # nothing is sent then
TOGETHER = "all that helped, together"
PITFALLS = "loaderbench.datasets.synthetic.pitfalls"
SLEEPING = "loaderbench.datasets.synthetic.known_cost:Sleeping"


@dataclass(frozen=True, kw_only=True, slots=True)
class Injected:
    """A dataset with one fault, and the cause that is to be found, by a part of its name."""

    cause: str
    dataset: str
    dataset_args: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ("--samples", "64")
    others: tuple[str, ...] = ()  # causes whose removal removes this one too: they may be ranked before it

    @property
    def arguments(self) -> tuple[str, ...]:
        """Options of ``loaderbench explain``; workers are forked and persistent, unless `options` say otherwise."""
        dataset = self.dataset if ":" in self.dataset else f"{PITFALLS}:{self.dataset}"
        named = ("--dataset", dataset, "--dataset-args", json.dumps(dict(self.dataset_args)), "--seed", "1")
        return *named, "--start-method", "fork", "--persistent-workers", "on", *self.options


CAUSES: tuple[Injected, ...] = (
    Injected(
        cause="few workers",
        dataset=SLEEPING,
        dataset_args={"samples": 64, "sleep_s": 5e-4},
        options=("--num-workers", "1", "--batch-size", "4", "--samples", "64"),
    ),
    Injected(
        cause="many tensors",
        dataset="ManyTensors",
        dataset_args={"small": 12, "large_bytes": 1000},
        options=("--batch-size", "4", "--samples", "32"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="objects",
        dataset="ManyObjects",
        options=("--collate-fn", f"{PITFALLS}:concatenate", "--samples", "256"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="one by one",
        dataset="Indexable",
        options=("--batch-size", "1024", "--samples", "8192"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="started in every epoch",
        dataset="SlowStart",
        dataset_args={"start_s": 0.03},
        options=("--persistent-workers", "off", "--samples", "64"),
    ),
    Injected(
        cause="a slower one",
        dataset="SlowSamples",
        dataset_args={"usual_s": 1e-4, "slow_s": 0.015},
        options=("--batch-size", "4", "--samples", "128"),
    ),
    Injected(cause="malloc", dataset="LargeAllocation", options=("--batch-size", "1", "--samples", "8")),
    Injected(
        cause="new shared memory",
        dataset="LargeSamples",
        options=("--batch-size", "16", "--samples", "64"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="batches prefetched",
        dataset="StorageStalls",
        options=("--batch-size", "1", "--samples", "24", "--step", "1.5ms"),
    ),
    Injected(
        cause="threads",
        dataset="ManyThreads",
        dataset_args={"side": 200},
        options=("--batch-size", "1", "--samples", "8"),
    ),
    Injected(
        cause="start method",
        dataset=SLEEPING,
        dataset_args={"samples": 64, "sleep_s": 1e-3},
        options=("--num-workers", "1", "--batch-size", "8", "--start-method", "spawn", "--persistent-workers", "off"),
        others=("workers started in every epoch", NO_WORKERS, "too few workers"),
    ),
    Injected(
        cause=NO_WORKERS,
        dataset=SLEEPING,
        dataset_args={"samples": 64, "sleep_s": 0.0},
        options=("--batch-size", "4", "--samples", "64"),
    ),
    Injected(
        cause=TOGETHER,
        dataset="SlowStart",  # one worker is too few, too
        dataset_args={"start_s": 0.05, "sleep_s": 1.5e-3},
        options=("--num-workers", "1", "--batch-size", "4", "--samples", "64", "--persistent-workers", "off"),
    ),
)
if "cuda" in available():
    CAUSES += (
        Injected(  # workers that keep up with the step, so that the copy in the loop is what costs
            cause="pageable batches",
            dataset="LargeSamples",
            dataset_args={"samples": 512},
            options=(
                *("--device", "cuda", "--num-workers", "4", "--batch-size", "8", "--samples", "512"),
                *("--step", "4ms"),
            ),
        ),
    )
NOTHING = Injected(
    cause="nothing", dataset=SLEEPING, dataset_args={"samples": 64, "sleep_s": 1e-3}, options=("--batch-size", "8")
)
LITTLE = Injected(  # for the short form: few causes can be removed where there are no workers
    cause="one by one", dataset="Indexable", options=("--num-workers", "0", "--batch-size", "128", "--samples", "512")
)
LEAK = Injected(cause="memory that leaks", dataset="Leaking", options=("--samples", "256"))
COPIED = Injected(
    cause="memory copied on write",
    dataset="PythonList",
    dataset_args={"samples": 100_000},
    options=("--samples", "all", "--batch-size", "4096"),
)
COPIED_DICT = Injected(
    cause="a dict copied on write",
    dataset="PythonDict",
    dataset_args={"samples": 100_000},
    options=("--samples", "all", "--batch-size", "4096"),
)
OBSERVED = (
    Injected(cause="random numbers alike in all workers", dataset="SharedGenerator"),
    Injected(cause="a line that costs", dataset="TensorsOfLists"),
)

FIRST = f"explain: of {len(CAUSES)} injected causes, found and ranked first"
SILENT = "explain: causes found where none is injected"
MEMORY = "explain: injected growth of memory (a leak, copy-on-write of a list and of a dict), reported"
SEEN = f"explain: of {len(OBSERVED)} injected faults that no change of the loader removes, reported"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the shares that were found; of the short form, all of them of one explanation."""
    nothing, leak, *copied = [LITTLE] * 4 if scope.short else (NOTHING, LEAK, COPIED, COPIED_DICT)
    observed = (LITTLE,) if scope.short else OBSERVED
    return {
        FIRST: shares([is_found(injected, explained(injected, scope)) for injected in _causes(scope)]),
        SILENT: Measured(value=len(imagined(explained(nothing, scope)))),
        MEMORY: shares([leaks(explained(leak, scope)), *(is_copied(explained(case, scope)) for case in copied)]),
        SEEN: shares([is_seen(injected, explained(injected, scope)) for injected in observed]),
    }


def _causes(scope: Scope) -> Sequence[Injected]:
    return (LITTLE,) if scope.short else CAUSES


def explained(injected: Injected, scope: Scope) -> Ranking:
    """Return what ``loaderbench explain`` ranks, measured once for the scope."""
    name = injected.cause.replace(" ", "-")
    if not (scope.folder / name).exists():
        budget = ("--budget", SHORT_BUDGET) if scope.short else QUICK if injected in OBSERVED else ()
        loaderbench("explain", *injected.arguments, *budget, "--out", name, folder=scope.folder)
    return read_ranking(scope.folder / name)


def is_found(injected: Injected, ranking: Ranking) -> bool:
    """Return whether the injected cause is said to help, and comes first but for what removes it too."""
    for ranked in ranking.interventions:
        if injected.cause in ranked.cause:
            return ranked.outcome == "helps"
        is_with_it = any(injected.cause in cause or cause in injected.others for cause in ranked.combines)
        if not is_with_it and ranked.cause not in injected.others:
            return False
    return False


def is_seen(injected: Injected, ranking: Ranking) -> bool:
    """Return whether what was injected is reported as seen."""
    return injected.cause in {observation.what for observation in ranking.explanation.observations}


def imagined(ranking: Ranking) -> list[str]:
    """Return the causes that are said to make a difference."""
    return [ranked.cause for ranked in ranking.interventions if ranked.outcome in ("helps", "harms")]


def leaks(ranking: Ranking) -> bool:
    """Return whether memory is said to grow with every epoch."""
    memory = ranking.explanation.memory
    readings = memory.readings if memory is not None else None
    return readings is not None and memory_growth(readings.pss_bytes).course == "grows"


def is_copied(ranking: Ranking) -> bool:
    """Return whether workers are shown to hold more where the dataset's long lists are no arrays."""
    memory = ranking.explanation.memory
    return memory is not None and len(memory.in_objects) > 0 and copied_bytes(memory).low > 0


def shares(hits: Sequence[bool]) -> Measured:
    """Return the share of `hits`, and how many of how many."""
    return Measured(value=sum(hits) / len(hits), note=f"{sum(hits)} of {len(hits)}")


def details(scope: Scope) -> Sequence[Table]:
    """Return what was ranked first for each injected cause."""
    columns = (Column(label="injected cause"), Column(label="ranked first", wide=True), Column(label="saves"))
    rows = []
    for injected in _causes(scope):
        ranking = explained(injected, scope)
        first = ranking.interventions[0]
        tone: Tone = "good" if is_found(injected, ranking) else "bad"
        saved = f"{percent(first.gain)} ({percent(first.low)} to {percent(first.high)}), {first.blocks} blocks"
        rows.append((Cell(text=injected.cause), Cell(text=first.cause, tone=tone), Cell(text=saved)))
    return [Table(columns=columns, rows=tuple(rows))]


TOPIC = Topic(
    name="causes",
    goals=(
        Goal(what=FIRST, unit="share", at_least=1),
        Goal(what=SILENT, unit="", at_most=0),
        Goal(what=MEMORY, unit="share", at_least=1),
        Goal(what=SEEN, unit="share", at_least=1),
    ),
    measure=measure,
    details=details,
    minutes=26,
)

"""``loaderbench tune``, whole: what is known of the loader before anything is tried, the search, and its record."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from time import monotonic
from typing import Any

from loaderbench.benches.check.loader_demand import demand_of
from loaderbench.benches.explain.baseline.baseline import FirstBatchFacts, first_batch_facts, refusing
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.first_batch import first_batch
from loaderbench.benches.harness.loading.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.samples.sampling import indices_in
from loaderbench.benches.harness.session.record import now
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.benches.tune.factors import Feasible, space_of, torchs_values, values_of
from loaderbench.benches.tune.measuring import Trials, measure
from loaderbench.benches.tune.passes import Passes
from loaderbench.benches.tune.search import Search
from loaderbench.benches.tune.space import Space
from loaderbench.benches.tune.trial import LEAST_TURNS, Survey, survey
from loaderbench.datasets.pytree import tree_tensors
from loaderbench.reports.records.schema import SAME_MACHINE
from loaderbench.reports.tune.race import Race
from loaderbench.reports.tune.tune_record import Objective, Trial, Tuned, TuneLimits
from loaderbench.reports.units import duration

PASS_S = 0.5  # that a pass takes in one process, or longer where many workers share it
LONGEST_PASS = 0.03  # of the budget, that a pass takes in one process
SURVEY = 0.03  # of the budget, and no more than SURVEY_S
SURVEY_S = 2.0
WRITING_S, LONGEST_WRITING = 4.0, 0.15  # that showing and writing the result takes, about, and of the budget at most
MOST_DRAWN = 64  # batches of a batch_sampler, by which the samples of one are known


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be tuned, and what for."""

    subject: Subject
    config: LoaderConfig
    """The user's loader, with a worker at least."""
    num_workers: int
    """Of the user's loader."""
    consumer: Consumer
    batch_sizes: Sequence[int] = ()
    fixed: Mapping[str, Any]
    limit: TuneLimits
    objective: Objective
    budget_s: float
    seed: int
    command: tuple[str, ...]
    facts: Mapping[str, Any]
    """Of dataset and step: what must be the same for earlier trials to count."""


def tune(asked: Asked, *, began: float, earlier: Mapping[str, Tuned]) -> Tuned:
    """Race the settings of the loader until one is shown to be as good as all; Ctrl-C keeps what was measured.

    All of it takes the budget from `began` on, by ``monotonic``. `earlier` are records by their place, the newest
    first: the first of the same machine and loader is what it starts from. Raises RefusedError where the loader cannot
    be read.
    """
    started = now().isoformat()
    here = in_child(machine.facts)  # it asks the accelerator, whose driver does not survive a fork
    facts = {**asked.facts, **{name: here.get(name) for name in SAME_MACHINE}, "torch": here["torch"]}
    place, before = next(((place, one) for place, one in earlier.items() if one.subject == facts), ("", None))
    left_s = max(0.0, asked.budget_s - (monotonic() - began))
    with Progress.of_budget(left_s) as progress:
        progress.describe("the first batches, and what workers would need")
        search, is_length_known = prepared(asked, before, left_s=left_s)
        search.race.budget_s -= min(WRITING_S, LONGEST_WRITING * asked.budget_s)
        count = search.start([] if before is None else _trials_of(before))
        interrupted = _is_interrupted(asked, search, began, progress)
    if not search.tried_any:
        if interrupted:
            raise KeyboardInterrupt
        raise RefusedError(
            f"{asked.subject.name}: no trial fits into {duration(asked.budget_s)}: give a larger --budget"
        )
    return Tuned(
        **Tuned.head(started=started, command=asked.command, machine=here),
        subject=facts,
        is_length_known=is_length_known,
        spent_s=monotonic() - began,
        earlier=place if count else "",
        earlier_trials=count,
        interrupted=interrupted,
        ruled_out=search.not_tried(interrupted=interrupted),
        **_facts_of(asked, search),
    )


def _is_interrupted(asked: Asked, search: Search, began: float, progress: Progress) -> bool:
    """Measure until the search is at an end; return whether Ctrl-C ended it."""
    trials = Trials(subject=asked.subject, consumer=asked.consumer, space=search.space, passes=search.passes)
    try:
        with Interruption() as interruption:
            measure(search, trials.read, began=began, interruption=interruption, progress=progress)
    except KeyboardInterrupt:
        return True
    return False


def _trials_of(before: Tuned) -> list[tuple[Mapping[str, Any], list[Trial]]]:
    """Return the settings of an earlier record with their trials, but those lost for another reason than a limit.

    A limit may be another one now; what was killed is tried anew.
    """
    trials = [(setting, [one for one in before.trials if one.setting == setting.name]) for setting in before.settings]
    return [
        (setting.values, measured)
        for setting, measured in trials
        if setting.status != "lost" or any(map(before.limits.exceeded_by, measured))
    ]


def _facts_of(asked: Asked, search: Search) -> dict[str, Any]:
    """Return what the record says of what was asked for, and of what came of the search."""
    recommended, is_shown = search.race.recommended or ("", False)
    names = [search.space.candidate(values).name for values in search.baselines]
    settings = search.tried()
    torchs, own = (name if any(one.name == name for one in settings) else "" for name in names)
    return {
        "seed": asked.seed,
        "dataset": asked.subject.name,
        "samples": search.passes.samples,
        "batches": search.passes.batches,
        "batch_samples": search.passes.batch_samples,
        "objective": search.objective,
        "limits": asked.limit,
        "fixed": dict(asked.fixed),
        "budget_s": asked.budget_s,
        "torchs": torchs,
        "own": own,
        "recommended": recommended,
        "is_shown": is_shown,
        "settings": settings,
        "trials": tuple(search.trials),
        "ending": search.race.ending,
    }


def prepared(asked: Asked, before: Tuned | None, *, left_s: float) -> tuple[Search, bool]:
    """Return the search, nothing of it measured yet, and whether the length of an epoch is known."""
    subject, config, consumer = asked.subject, asked.config, asked.consumer
    longest_s = min(SURVEY_S, SURVEY * asked.budget_s)
    known = refusing(
        subject, "its first batches", lambda: _preview(subject, config, consumer.ready(), longest_s), left_s
    )
    shown, seen, batch_samples = known.shown, known.survey, known.batch_samples
    length = None if subject.is_stream else subject.properties.length
    if length is None and not seen.is_cut:
        length = seen.batches * batch_samples
    feasible = Feasible(
        subject=subject,
        config=config,
        demand=demand_of(subject, replace(config, num_workers=2), imports=False),  # `Feasible` does, where it matters
        dtypes=known.dtypes,
        limit=asked.limit,
        cpus=machine.usable_cpus(),
    )
    own = values_of(config, asked.num_workers)
    on_device = consumer.device.type != "cpu"
    space = space_of(feasible, shown, own, batch_sizes=asked.batch_sizes, fixed=asked.fixed, on_device=on_device)
    batches = before.batches if before else _batches(seen.batch_s, asked.budget_s, space.choices["num_workers"][-1])
    passes = Passes(
        batches=batches,
        batch_samples=batch_samples,
        batch_s=seen.batch_s,
        samples=batches * batch_samples if length is None else length,
        usual_size=config.batch_size,
        cpus=feasible.cpus,
    )
    return _search(asked, feasible, space, passes, own, sets_epoch=shown.sets_epoch, has_length=length is not None)


def _search(
    asked: Asked,
    feasible: Feasible,
    space: Space,
    passes: Passes,
    own: Mapping[str, Any],
    *,
    sets_epoch: bool,
    has_length: bool,
) -> tuple[Search, bool]:
    baselines = (torchs_values(own), own)
    race = Race(
        budget_s=asked.budget_s,
        rng=random.Random(asked.seed),  # noqa: S311 - an order, not a secret
        baselines=frozenset(space.candidate(values).name for values in baselines),
    )
    search = Search(
        space=space,
        fault=feasible.fault,
        limit=asked.limit,
        passes=passes,
        objective="throughput" if not has_length and asked.objective == "epoch" else asked.objective,
        race=race,
        baselines=baselines,
        own=own,
        sets_epoch=sets_epoch,
    )
    return search, has_length


def _batches(batch_s: float, budget_s: float, most_workers: int) -> int:
    """Return the batches of a pass, where one takes `batch_s` in one process."""
    usual = max(PASS_S / batch_s, 2 * LEAST_TURNS * most_workers)
    return max(LEAST_TURNS, math.ceil(min(usual, max(PASS_S, LONGEST_PASS * budget_s) / batch_s)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What the first batches show, made without workers in a process of their own."""

    shown: FirstBatchFacts
    dtypes: int
    """Of the tensors of the first batch."""
    batch_samples: int
    survey: Survey


def _preview(subject: Subject, config: LoaderConfig, consumer: Consumer, longest_s: float) -> Preview:
    """Read the first batches; it reads the dataset in this process."""
    alone = without_workers(config)
    return Preview(
        shown=first_batch_facts(subject, alone),
        dtypes=len({tensor.dtype for tensor in tree_tensors(first_batch(subject, alone))}),
        batch_samples=_batch_samples(subject, config),
        survey=survey(subject, alone, consumer, longest_s),
    )


def _batch_samples(subject: Subject, config: LoaderConfig) -> int:
    """Return the samples of a batch; of a batch_sampler's, their mean, and 1 where the dataset makes batches."""
    if config.batch_sampler is None:
        return config.batch_size or 1
    sampler: Any = config.batch_sampler
    drawn = islice(sampler(subject.dataset) if callable(sampler) else sampler, MOST_DRAWN)
    return max(1, round(fmean(map(indices_in, drawn))))

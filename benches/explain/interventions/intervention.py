"""An intervention: the loader with a cause of slow loading and without it; several in one."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.baseline.loader_call import loader_call
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.reports.explain.explain_record import InterventionFacts

Change = Callable[[LoaderConfig], LoaderConfig]

TOGETHER = "all that helped, together"


class NotApplicableError(Exception):
    """An intervention cannot be applied to this loader; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervention:
    """One cause removed, or several: `with_cause` is the loader that has it, and `change` takes it away."""

    facts: InterventionFacts
    with_cause: LoaderConfig
    change: Change
    advised: Change  # what the user should do; it differs from `change` where that only measures the saving
    needs_workers: bool = True
    excludes: tuple[str, ...] = ()  # causes that cannot be removed together with this one, or are removed by it

    @property
    def without_cause(self) -> LoaderConfig:
        """Return the loader without the cause."""
        return self.change(self.with_cause)


Gain = tuple[Intervention, float]  # and the share of an epoch that it saves


def running(config: LoaderConfig) -> LoaderConfig:
    """Return the loader with persistent workers: passes are compared then, not starts."""
    return replace(config, persistent_workers=config.num_workers > 0)


def replacing(**arguments: Any) -> Change:
    """Return the change of these arguments."""
    return lambda config: replace(config, **arguments)


def per_batch(
    baseline: Baseline,
    removal: Change,
    /,
    *,
    in_both: Mapping[str, Any] | None = None,
    advised: Change | None = None,
    needs_workers: bool = True,
    excludes: tuple[str, ...] = (),
    **facts: Any,
) -> Intervention:
    """Return an intervention whose cause is paid for each batch, so that it is measured on persistent workers.

    `in_both` are arguments that both loaders have changed, `facts` are those of InterventionFacts.
    """
    advised = advised or removal
    return Intervention(
        facts=InterventionFacts(call=loader_call(advised(baseline.config)), **facts),
        with_cause=running(replace(baseline.config, **(in_both or {}))),
        change=lambda config: running(removal(config)),
        advised=advised,
        needs_workers=needs_workers,
        excludes=excludes,
    )


def together(baseline: Baseline, gains: Sequence[Gain], order: Sequence[str]) -> Intervention | None:
    """Return interventions that help in one, against the loader as it is; None where one alone promises more.

    `gains` has what each saves of an epoch. Some exclude each other: those are taken that may save most together, as if
    each left the others what they save of the rest. Changes are made in the `order` of their causes.
    """
    ranked = sorted(gains, key=lambda entry: -entry[1])
    chosen = max((_compatible(first, ranked) for first in ranked), key=_left, default=[])
    if len(chosen) < 2:  # noqa: PLR2004 - one alone was measured already
        return None
    return _in_one(baseline, sorted((entry for entry, _ in chosen), key=lambda entry: order.index(entry.facts.cause)))


def _compatible(first: Gain, ranked: Sequence[Gain]) -> list[Gain]:
    """Return `first` and those that go with it, and with each other, those that save most before others."""
    chosen = [first]
    for entry in ranked:
        if entry is not first and not any(_excludes(entry[0], other) for other, _ in chosen):
            chosen.append(entry)
    return chosen


def _left(chosen: Sequence[Gain]) -> float:
    """Return minus the share of an epoch that may be left."""
    return -math.prod(1 - gain for _, gain in chosen)


def _in_one(baseline: Baseline, chosen: Sequence[Intervention]) -> Intervention:
    keeps_workers = any(intervention.facts.keeps_workers for intervention in chosen)

    def advised(config: LoaderConfig) -> LoaderConfig:
        for intervention in chosen:
            config = intervention.advised(config)
        return config

    causes = tuple(intervention.facts.cause for intervention in chosen)
    return Intervention(
        facts=InterventionFacts(
            cause=TOGETHER,
            evidence=f"each helps: {'; '.join(causes)}",
            change="; ".join(intervention.facts.change for intervention in chosen),
            call=loader_call(advised(baseline.config)),
            caveat=" ".join(intervention.facts.caveat for intervention in chosen if intervention.facts.caveat),
            keeps_workers=keeps_workers,
            combines=causes,
            fewest_batches=max(intervention.facts.fewest_batches for intervention in chosen),
        ),
        with_cause=baseline.config if keeps_workers else running(baseline.config),
        change=advised if keeps_workers else lambda config: running(advised(config)),
        advised=advised,
    )


def _excludes(one: Intervention, other: Intervention) -> bool:
    return any(
        second.facts.cause in first.excludes or (second.needs_workers and not first.without_cause.num_workers)
        for first, second in ((one, other), (other, one))
    )


def require_workers(baseline: Baseline, otherwise: str = "no workers") -> None:
    """Raise NotApplicableError where the loader has no workers; `otherwise` is what that means."""
    if not baseline.config.num_workers:
        raise NotApplicableError(f"{otherwise}: num_workers is 0")

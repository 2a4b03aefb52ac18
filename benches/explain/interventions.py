"""An intervention: the loader with a cause of slow loading (control) and without it (treatment); several in one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.batches import loader_call
from loaderbench.benches.harness.loader import LoaderConfig, without_workers
from loaderbench.reports.explain.record import InterventionFacts

Change = Callable[[LoaderConfig], LoaderConfig]

TOGETHER = "all that helped, together"


class NotApplicableError(Exception):
    """An intervention cannot be applied to this loader; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervention:
    """One cause removed, or several: `control` has it, and `change` takes it away."""

    facts: InterventionFacts
    control: LoaderConfig
    change: Change
    advised: Change  # what a user is to do: where `change` only shows how much there is to save, it is another one
    needs_workers: bool = True
    excludes: tuple[str, ...] = ()  # causes that cannot be removed together with this one, or are removed by it

    @property
    def treatment(self) -> LoaderConfig:
        """Return the loader without the cause."""
        return self.change(self.control)


def running(config: LoaderConfig) -> LoaderConfig:
    """Return the loader with workers that live on: what is compared is then passes, not starts."""
    return replace(config, persistent_workers=config.num_workers > 0)


def replacing(**arguments: Any) -> Change:
    """Return the change of these arguments."""
    return lambda config: replace(config, **arguments)


def per_batch(
    baseline: Baseline,
    removal: Change,
    /,
    *,
    control: Mapping[str, Any] | None = None,
    advised: Change | None = None,
    needs_workers: bool = True,
    excludes: tuple[str, ...] = (),
    **facts: Any,
) -> Intervention:
    """Return an intervention whose cause is paid for each batch, so that it is measured on workers that live on.

    `control` are arguments that both loaders have changed, `facts` are those of InterventionFacts.
    """
    advised = advised or removal
    return Intervention(
        facts=InterventionFacts(call=loader_call(advised(baseline.config)), **facts),
        control=running(replace(baseline.config, **(control or {}))),
        change=lambda config: running(removal(config)),
        advised=advised,
        needs_workers=needs_workers,
        excludes=excludes,
    )


def together(baseline: Baseline, helping: Sequence[Intervention], order: Sequence[str]) -> Intervention | None:
    """Return the changes of `helping` in one, against the loader as it is; None where fewer than two go together.

    Of two that exclude each other the first counts: `helping` has what saves most at its front. Changes are made in the
    `order` of their causes.
    """
    chosen: list[Intervention] = []
    for intervention in helping:
        if not any(_excludes(intervention, other) for other in chosen):
            chosen.append(intervention)
    if len(chosen) < 2:  # noqa: PLR2004 - one alone was measured already
        return None
    chosen.sort(key=lambda intervention: order.index(intervention.facts.cause))
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
        ),
        control=baseline.config if keeps_workers else running(baseline.config),
        change=advised if keeps_workers else lambda config: running(advised(config)),
        advised=advised,
    )


def _excludes(one: Intervention, other: Intervention) -> bool:
    return any(
        second.facts.cause in first.excludes or (second.needs_workers and not first.treatment.num_workers)
        for first, second in ((one, other), (other, one))
    )


def no_workers(config: LoaderConfig) -> LoaderConfig:
    """Return the loader read in the main process; a ``worker_init_fn`` has nothing to do there."""
    return replace(without_workers(config), worker_init_fn=None)

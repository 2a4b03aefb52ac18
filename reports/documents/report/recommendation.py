"""The verdict in words: is loading the bottleneck, which setting to use, what the data cannot tell."""

from collections.abc import Iterator, Mapping

import pandas as pd

from loaderbench.reports.documents.document import Bar, Callout, Code, Column, Section, Table, Tone
from loaderbench.reports.documents.report.next_command import is_at_the_edge, next_command
from loaderbench.reports.documents.tables import row
from loaderbench.reports.records.schema import Run
from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.recommendation import Bottleneck, Choice, Recommendation
from loaderbench.reports.units import THIN, count, interval, percent, quantity
from loaderbench.reports.vocabulary import (
    panel_settings,
    sample_rate,
    speed_only_settings,
)
from loaderbench.reports.wording import assigned, loader_call, plain_number, settings_of

HEADLINES: Mapping[Bottleneck, str] = {
    "loading": "Loading is your bottleneck",
    "step": "Loading is not your bottleneck",
    "turns": "The loader is fast enough, yet the step waits",
    "open": "Loader and step are too close to call",
    "unknown": "The loader was measured, the training step was not",
}
TONES: Mapping[Bottleneck, Tone] = {
    "loading": "bad", "step": "good", "turns": "warn", "open": "warn", "unknown": "plain",
}  # fmt: skip

MOST_CHOICES = 12  # of other batches, in Markdown
AS_GOOD = f"within {100 * MARGIN:g}{THIN}% of the best"


def verdict_callout(recommendation: Recommendation, run: Run) -> Callout:
    """Put a recommendation into words. `run` is the one it was made from."""
    choice, rate = recommendation.headline, sample_rate(recommendation.dataset)
    doubts = tuple(_doubts(recommendation, run))
    return Callout(
        subject=" · ".join(name for name in (recommendation.dataset, recommendation.device) if name) or "the dataset",
        headline=HEADLINES[recommendation.bottleneck],
        tone=TONES[recommendation.bottleneck],
        sentence=_sentence(recommendation),
        bars=tuple(_bars(recommendation)),
        evidence=f"{_evidence(choice, rate)}.",
        code=Code(code=loader_call(choice.chosen, run.machine.get("start_method"))),
        doubts=doubts,
        command=next_command(recommendation, run) if doubts else "",
        details=(_other_batches(recommendation),) if recommendation.others else (),
    )


def nothing_to_recommend() -> Callout:
    """Return what is said where neither epochs nor training were measured."""
    return Callout(
        headline="Nothing to recommend",
        sentence="No case of the benches epoch or training was measured. The table of all cases has the reasons of "
        "those that failed.",
        tone="warn",
    )


def _sentence(recommendation: Recommendation) -> str:
    case, rate = recommendation.headline.chosen, sample_rate(recommendation.dataset)
    waits = "" if pd.isna(case["stall_share"]) else f" (the step waits {percent(case['stall_share'])} of the time)"
    step = quantity(case["step_samples_per_s"], rate).removesuffix(THIN + rate)
    alone = f"The loader alone delivers {quantity(case['loader_samples_per_s'], rate)}, the step alone uses {step}"
    why = {
        "loading": f"{alone}: loading is your bottleneck{waits}",
        "step": f"{alone}: loading is not your bottleneck",
        "turns": f"{alone}: the loader is fast enough, but the two take turns instead of overlapping{waits}",
        "open": f"{alone}: too close for these rounds to show which is slower",
        "unknown": f"The loader alone delivers {quantity(case['samples_per_s'], rate)}",
    }[recommendation.bottleneck]
    return f"{why}; {_setting(recommendation)}."


def _setting(recommendation: Recommendation) -> str:
    choice = recommendation.headline
    where = assigned(choice.chosen, ["batch_size"]) if recommendation.others else ""
    at = f"at {where}, the fastest measured, " if where else ""
    if choice.tried == 1:
        return f"{at}{choice.setting} is the only setting that was tried"
    if choice.is_shown:
        return f"{at}{choice.setting} is the smallest setting shown to be {AS_GOOD}"
    is_open = "" if choice.undecided.empty else ", and the rounds do not show whether a smaller setting is as good"
    return f"{at}the fastest was {choice.setting}{is_open}"


def _evidence(choice: Choice, rate: str) -> str:
    """Say how sure the choice is."""
    case = choice.chosen
    throughput = quantity(case["samples_per_s"], rate)
    rounds = count(int(case["n"]), "round")
    if pd.isna(case["low_samples_per_s"]):
        return f"{throughput} (n = {rounds}, no spread known)"
    spread = interval(case["low_samples_per_s"], case["high_samples_per_s"], rate)
    measured = f"{throughput}, within-run spread {spread} (n = {rounds})"
    if choice.tried == 1:
        return measured
    is_best = choice.chosen["case"] == choice.best["case"]
    of_best = f"{'' if is_best else quantity(choice.ratio, 'ratio') + ' '}the best of {choice.tried} tried"
    if not choice.is_shown:
        return f"{measured}; {of_best}"
    return f"{measured}; {of_best}, at least {quantity(choice.at_least, 'ratio')} every other ({percent(LEVEL)})"


def _bars(recommendation: Recommendation) -> Iterator[Bar]:
    """Yield the loader alone, the step alone and both; without a step the recommended setting and the best.

    A bar alone would only repeat the sentence: then there is none.
    """
    chosen, best = recommendation.headline.chosen, recommendation.headline.best
    if recommendation.bench == "training":
        rates = [
            ("loader alone", "loader", chosen["loader_samples_per_s"]),
            ("step alone", "step", chosen["step_samples_per_s"]),
            ("both", "both", chosen["samples_per_s"]),
        ]
    else:
        rates = [("this setting", "loader", chosen["samples_per_s"]), ("the best", "both", best["samples_per_s"])]
        rates = rates if chosen["case"] != best["case"] else []
    known = [(label, kind, float(rate)) for label, kind, rate in rates if not pd.isna(rate)]
    longest = max((rate for _, _, rate in known), default=1.0)
    unit = sample_rate(recommendation.dataset)
    for label, kind, rate in known:
        yield Bar(label=label, kind=kind, share=rate / longest, value=quantity(rate, unit))
    if recommendation.bench == "training" and chosen["stall_share"] >= 0:
        waiting = float(chosen["stall_share"])
        yield Bar(label="waiting", kind="wait", share=waiting, value=percent(waiting))


def _other_batches(recommendation: Recommendation) -> Section:
    """Return the choices within each batch size, collate function and the like."""
    rate = sample_rate(recommendation.dataset)
    rows = [row(_batches(choice), choice.setting, _evidence(choice, rate)) for choice in recommendation.choices]
    columns = (
        Column(label="batches", wide=True),
        Column(label="setting"),
        Column(label="throughput", wide=True),
    )
    table = Table(name="other-batches", columns=columns, rows=tuple(rows), most_rows={"markdown": MOST_CHOICES})
    return Section(title="Other batches", parts=(table,), folded=True)


def _batches(choice: Choice) -> str:
    """Name the batches within which a choice was made."""
    case = choice.chosen.to_frame().T
    names = [name for name in settings_of(case) if name not in {*speed_only_settings(), *panel_settings()}]
    return assigned(choice.chosen, names)


def _doubts(recommendation: Recommendation, run: Run) -> Iterator[str]:
    choice = recommendation.headline
    if recommendation.bottleneck == "unknown":
        yield "Whether that is enough depends on the training step, which was not measured."
    if recommendation.bottleneck == "open":
        yield "Loader alone and step alone differ by less than their rounds vary."
    if choice.tried == 1:
        yield "There was nothing to compare it with."
    if choice.chosen["n"] < 2:  # noqa: PLR2004 - no spread without two rounds
        yield "One round only: without a spread, no difference can be shown."
    elif len(choice.undecided):
        yield _undecided(choice)
    elif not choice.is_shown and choice.tried > 1:
        yield _not_shown(choice)
    if is_at_the_edge(choice, run):
        most = plain_number(choice.chosen["num_workers"])
        yield f"num_workers={most} is the most that was tried, and the best: more may be better."


def _undecided(choice: Choice) -> str:
    """Name the smallest setting that is open, with what is known of it."""
    first = choice.undecided.iloc[0]
    more = f" (and {len(choice.undecided) - 1} more)" if len(choice.undecided) > 1 else ""
    between = interval(first["low"], first["high"], "ratio")
    return f"{assigned(first, choice.varied)}{more} may be as good: the rounds do not show it ({between} the best)."


def _not_shown(choice: Choice) -> str:
    """Name the setting beside which the fastest is not shown to be as good."""
    other, at_least = assigned(choice.against, choice.varied), quantity(choice.at_least, "ratio")
    return (
        f"{other} may be faster: the rounds show only that {choice.setting} reaches at least {at_least} its throughput."
    )

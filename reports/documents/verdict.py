"""The verdict in words: is loading the bottleneck, which setting to use, what the data cannot tell."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loaderbench.reports.records.schema import Run
from loaderbench.reports.stats.recommendation import Choice, Recommendation
from loaderbench.reports.units import THIN, count, interval, percent, quantity
from loaderbench.reports.vocabulary import free, sample_rate
from loaderbench.reports.wording import assigned, is_missing, loader_call, plain_number, settings_of

HEADLINES = {
    "loading": "Loading is your bottleneck",
    "step": "Loading is not your bottleneck",
    "turns": "The loader is fast enough, yet the step waits",
    "open": "Loader and step are too close to call",
    "unknown": "The loader was measured, the training step was not",
}

# Options of the run that decide what is measured: the next command must carry them on.
CARRIED = ("--dataset-args", "--model", "--model-args", "--loss", "--samples")
MOST_ROUNDS = 50
DECISIVE = 0.08  # half an interval this wide (of a logarithm) tells a tie from a fifth slower


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A recommendation in words."""

    recommendation: Recommendation
    headline: str
    """A handful of words."""
    sentence: str
    """The evidence and the setting, in one sentence."""
    evidence: str
    """Throughput of the chosen setting, its spread and its ratio to the best."""
    doubts: tuple[str, ...]
    """What the data cannot tell."""
    command: str
    """What to run next, where there is a doubt; else empty."""
    call: str
    """The DataLoader(...) call."""

    @property
    def subject(self) -> str:
        """Name what the verdict is about."""
        held = (self.recommendation.dataset, self.recommendation.device)
        return " · ".join(word for word in held if word) or "the dataset"


def verdict(recommendation: Recommendation, run: Run) -> Verdict:
    """Put a recommendation into words. `run` is the one it was made from."""
    choice = recommendation.headline
    doubts = tuple(_doubts(recommendation, run))
    return Verdict(
        recommendation=recommendation,
        headline=HEADLINES[recommendation.bottleneck],
        sentence=_sentence(recommendation),
        evidence=evidence(choice, sample_rate(recommendation.dataset)),
        doubts=doubts,
        command=_command(recommendation, run) if doubts else "",
        call=loader_call(choice.chosen, run.machine.get("start_method")),
    )


def _sentence(recommendation: Recommendation) -> str:
    case, of = recommendation.headline.chosen, sample_rate(recommendation.dataset)
    waiting = "" if pd.isna(case["stall_share"]) else f" (the step waits {percent(case['stall_share'])} of the time)"
    eaten = quantity(case["step_samples_per_s"], of).removesuffix(THIN + of)
    triple = f"The loader alone feeds {quantity(case['loader_samples_per_s'], of)}, the step alone eats {eaten}"
    found = {
        "loading": f"{triple}: loading is your bottleneck{waiting}",
        "step": f"{triple}: loading is not your bottleneck",
        "turns": f"{triple}: the loader could keep up, but the two take turns{waiting}",
        "open": f"{triple}: too close for these rounds to tell which one holds the other back",
        "unknown": f"The loader alone feeds {quantity(case['samples_per_s'], of)}",
    }[recommendation.bottleneck]
    return f"{found}; {_setting(recommendation)}."


def _setting(recommendation: Recommendation) -> str:
    choice = recommendation.headline
    where = assigned(choice.chosen, ["batch_size"]) if recommendation.others else ""
    at = f"at {where}, the fastest measured, " if where else ""
    if choice.tried == 1:
        return f"{at}{choice.setting} is the only setting that was tried"
    if choice.undecided.empty:
        fastest = "fastest" if choice.chosen["n"] < 2 else "smallest setting that ties with the best"  # noqa: PLR2004
        return f"{at}the {fastest} is {choice.setting}"
    fastest = "was the fastest" if choice.chosen["case"] == choice.best["case"] else "ties with the best"
    return f"{at}{choice.setting} {fastest}, and the rounds cannot tell whether a smaller setting does as well"


def evidence(choice: Choice, of: str) -> str:
    """Say how sure the choice is."""
    case = choice.chosen
    said = quantity(case["samples_per_s"], of)
    rounds = count(int(case["n"]), "round")
    if pd.isna(case["low_samples_per_s"]):
        return f"{said} (n = {rounds}, no spread known)"
    spread = interval(case["low_samples_per_s"], case["high_samples_per_s"], of)
    said = f"{said}, within-run spread {spread} (n = {rounds})"
    if choice.chosen["case"] == choice.best["case"]:
        return f"{said}; the best of {choice.tried} tried" if choice.tried > 1 else said
    of_best = f"{quantity(choice.ratio, 'ratio')} the best of {choice.tried} tried"
    return f"{said}; {of_best}, within-run {interval(choice.low, choice.high, 'ratio')}"


def _doubts(recommendation: Recommendation, run: Run) -> Iterator[str]:
    choice = recommendation.headline
    if recommendation.bottleneck == "unknown":
        yield "Whether that is enough depends on the training step, which was not measured."
    if recommendation.bottleneck == "open":
        yield "Loader alone and step alone differ by less than their rounds do."
    if choice.tried == 1:
        yield "There was nothing to compare it with."
    if choice.chosen["n"] < 2:  # noqa: PLR2004 - no spread without two rounds
        yield "One round only: without a spread, nothing can be told apart."
    elif len(choice.undecided):
        yield _undecided(choice)
    if _at_the_edge(choice, run):
        most = plain_number(choice.chosen["num_workers"])
        yield f"num_workers={most} is the most that was tried, and the best: more may be better."


def _undecided(choice: Choice) -> str:
    """Name the smallest setting that is open, with what is known of it."""
    first = choice.undecided.iloc[0]
    more = f" (and {len(choice.undecided) - 1} more)" if len(choice.undecided) > 1 else ""
    known = f"{interval(first['low'], first['high'], 'ratio')} the best, within-run"
    return f"{assigned(first, choice.varied)}{more} may do as well: the rounds cannot tell ({known})."


def _at_the_edge(choice: Choice, run: Run) -> bool:
    workers, cpus = choice.chosen.get("num_workers"), run.machine.get("cpus_affinity")
    if "num_workers" not in choice.varied or is_missing(workers) or not isinstance(cpus, int):
        return False
    return bool(workers == choice.most_workers and workers < cpus)


def _command(recommendation: Recommendation, run: Run) -> str:
    """Return the command that settles the doubts: the same subject, more workers or more rounds."""
    choice, chosen = recommendation.headline, recommendation.headline.chosen
    words = ["loaderbench", "run", "--dataset", recommendation.dataset, *_carried(run.command)]
    words += ["--device", recommendation.device] if recommendation.device not in {"", "cpu"} else []
    for name in ("batch_size", "collate_fn"):
        held = chosen.get(name)
        words += [] if is_missing(held) else [f"--{name.replace('_', '-')}", plain_number(held)]
    words += ["--num-workers", ",".join(_workers(choice, run)), "--rounds", str(_rounds(choice))]
    return shlex.join([*words, "-k", "bench_training"])


def _workers(choice: Choice, run: Run) -> Sequence[str]:
    """Return the numbers of workers still in question."""
    asked = [choice.chosen, choice.best, *(row for _, row in choice.undecided.iterrows())]
    found = {int(row["num_workers"]) for row in asked if not is_missing(row.get("num_workers"))}
    cpus = run.machine.get("cpus_affinity")
    if choice.tried == 1 and isinstance(cpus, int):
        found |= {0, 1, min(2, cpus), cpus}
    if found and isinstance(cpus, int) and _at_the_edge(choice, run):
        found |= {min(2 * max(found), cpus)}
    return [str(number) for number in sorted(found)]


def _rounds(choice: Choice) -> int:
    """Estimate the rounds that make every interval in question decisive; its width falls with their root."""
    n = int(choice.chosen["n"])
    widths = np.log(choice.undecided["high"].to_numpy(float) / choice.undecided["low"].to_numpy(float)) / 2
    wide = float(np.nanmax(widths)) if len(widths) and not np.isnan(widths).all() else 0.0
    return int(np.clip(np.ceil(n * (wide / DECISIVE) ** 2), max(7, 2 * n), MOST_ROUNDS))


def _carried(command: Sequence[str]) -> list[str]:
    """Return the options of a run that decide what is measured, with their values.

    >>> _carried(["--quick", "--model", "my.model:Net", "--loss=mse", "--rounds", "3"])
    ['--model', 'my.model:Net', '--loss=mse']
    """
    kept = []
    for word, value in zip(command, [*command[1:], ""], strict=True):
        if word in CARRIED:
            kept += [word, value]
        elif word.startswith(tuple(f"{name}=" for name in CARRIED)):
            kept.append(word)
    return kept


def given(choice: Choice) -> str:
    """Name the batches within which a choice was made."""
    case = choice.chosen.to_frame().T
    names = [name for name in settings_of(case) if name not in {*free(), "dataset", "device"}]
    return assigned(choice.chosen, names)

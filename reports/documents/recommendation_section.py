"""The verdict in words: is loading the bottleneck, which setting to use, what the data cannot tell."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from loaderbench.reports.documents.document import Bar, Callout, Cell, Code, Column, Section, Table, Tone
from loaderbench.reports.records.schema import Run
from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.recommendation import Bottleneck, Choice, Recommendation
from loaderbench.reports.units import THIN, count, interval, parse_time, percent, quantity
from loaderbench.reports.vocabulary import (
    SETTINGS,
    WORKLOAD_OPTIONS,
    Setting,
    names,
    panel_settings,
    sample_rate,
    speed_only_settings,
)
from loaderbench.reports.wording import assigned, is_missing, is_on, loader_call, plain_number, settings_of

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

FROM_LOADER = WORKLOAD_OPTIONS["from_loader"].option
MORE_TIME = "5m"
THEIR_MODEL = "my.model:Net"  # for the reader to replace
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
        command=_command(recommendation, run) if doubts else "",
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
    rows = [
        tuple(Cell(text=text) for text in (_batches(choice), choice.setting, _evidence(choice, rate)))
        for choice in recommendation.choices
    ]
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
    if _at_the_edge(choice, run):
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
    return f"{other} may be faster: the rounds show no more than that {choice.setting} is at least {at_least} it."


def _at_the_edge(choice: Choice, run: Run) -> bool:
    workers, cpus = choice.chosen.get("num_workers"), run.machine.get("cpus_affinity")
    if "num_workers" not in choice.varied or is_missing(workers) or not isinstance(cpus, int):
        return False
    return bool(workers == choice.most_workers and workers < cpus)


def _command(recommendation: Recommendation, run: Run) -> str:
    """Return the command that settles the doubts: the same subject, other numbers of workers, more time for rounds."""
    choice, chosen = recommendation.headline, recommendation.headline.chosen
    carried = _carried(run.command)
    given = {word.partition("=")[0] for word in run.command}
    is_own_loader = FROM_LOADER in {word.partition("=")[0] for word in carried}
    words = ["loaderbench", "run", *([] if is_own_loader else ["--dataset", recommendation.dataset]), *carried]
    words += ["--device", recommendation.device] if recommendation.device not in {"", "cpu"} else []
    for name in names(_says_what_is_loaded):
        if not is_own_loader:
            words += _option(SETTINGS[name], chosen.get(name))
        elif SETTINGS[name].option in given:  # else it is the loader's own, whose defaults are not torch's
            words += _option(SETTINGS[name], chosen.get(name), default=None)
    is_step_missing = recommendation.bottleneck == "unknown" and ":" in recommendation.dataset
    if is_step_missing and choice.is_shown and not _at_the_edge(choice, run):
        return shlex.join([*words, "--model", THEIR_MODEL])
    return shlex.join([*words, "--num-workers", ",".join(_workers(choice, run)), "--budget", _more_time(run)])


def _more_time(run: Run) -> str:
    """Return a budget of more rounds than `run` had: four times its own, else some minutes."""
    given = [value for word, value in zip(run.command, run.command[1:], strict=False) if word == "--budget"]
    try:
        return f"{4 * parse_time(given[-1]):g}s" if given else MORE_TIME
    except ValueError:
        return MORE_TIME


def _says_what_is_loaded(setting: Setting) -> bool:
    """Return whether a setting is an argument of DataLoader that the next run has to be given again."""
    return setting.is_argument and (setting.cost_rank is None or setting.is_open)


def _option(setting: Setting, value: object, default: object = "default") -> list[str]:
    """Return the option that sets a case's value again; none where it is missing, the default, or a switch that is off.

    `default` is None where what is not given is not torch's own.

    >>> _option(SETTINGS["batch_size"], 64.0), _option(SETTINGS["drop_last"], True), _option(SETTINGS["sampler"], None)
    (['--batch-size', '64'], ['--drop-last', 'on'], [])
    """
    if setting.takes_none and not setting.is_open and is_missing(value):
        return [setting.option, "none"]
    if (
        is_missing(value)
        or (default and value in (setting.default, default))
        or (setting.kind == "switch" and not is_on(value))
    ):
        return []
    return [setting.option, "on" if setting.kind == "switch" else plain_number(value)]


def _workers(choice: Choice, run: Run) -> Sequence[str]:
    """Return the numbers of workers still in question."""
    candidates = [choice.chosen, choice.best, *(row for _, row in choice.undecided.iterrows())]
    candidates += [] if choice.is_shown else [choice.against]
    numbers = {int(row["num_workers"]) for row in candidates if not is_missing(row.get("num_workers"))}
    cpus = run.machine.get("cpus_affinity")
    if choice.tried == 1 and isinstance(cpus, int):
        numbers |= {0, 1, min(2, cpus), cpus}
    if numbers and isinstance(cpus, int) and _at_the_edge(choice, run):
        numbers |= {min(2 * max(numbers), cpus)}
    return [str(number) for number in sorted(numbers)]


def _carried(command: Sequence[str]) -> list[str]:
    """Return the options of a run that say what is loaded and trained, with their values: the next run needs them too.

    >>> _carried(["--quick", "--model", "my.model:Net", "--loss=mse", "--rounds", "3"])
    ['--model', 'my.model:Net', '--loss=mse']
    """
    kept = []
    carried = tuple(entry.option for entry in WORKLOAD_OPTIONS.values())
    for word, value in zip(command, [*command[1:], ""], strict=True):
        if word in carried:
            kept += [word, value]
        elif word.startswith(tuple(f"{option}=" for option in carried)):
            kept.append(word)
    return kept

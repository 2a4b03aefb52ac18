"""The command that settles what a recommendation leaves open: the same loader, other numbers of workers, more time."""

import shlex
from collections.abc import Sequence

from loaderbench.reports.records.schema import Run
from loaderbench.reports.stats.recommendation import Choice, Recommendation
from loaderbench.reports.units import parse_time
from loaderbench.reports.vocabulary import SETTINGS, WORKLOAD_OPTIONS, Setting, names
from loaderbench.reports.wording import is_missing, is_on, plain_number

FROM_LOADER = WORKLOAD_OPTIONS["from_loader"].option
MORE_TIME = "5m"
THEIR_MODEL = "my.model:Net"  # for the reader to replace


def is_at_the_edge(choice: Choice, run: Run) -> bool:
    """Return whether the setting has the most workers that were tried, and there are more CPUs."""
    workers, cpus = choice.chosen.get("num_workers"), run.usable_cpus
    if "num_workers" not in choice.varied or is_missing(workers) or cpus is None:
        return False
    return bool(workers == choice.most_workers and workers < cpus)


def next_command(recommendation: Recommendation, run: Run) -> str:
    """Return the command that settles the doubts: the same subject, other numbers of workers, more time for rounds."""
    choice, chosen = recommendation.headline, recommendation.headline.chosen
    carried = _carried(run.command)
    given = {word.partition("=")[0] for word in run.command}
    is_own_loader = FROM_LOADER in {word.partition("=")[0] for word in carried}
    words = ["loaderbench", "run", *([] if is_own_loader else ["--dataset", recommendation.dataset]), *carried]
    words += ["--device", recommendation.device] if recommendation.device not in {"", "cpu"} else []
    for name in names(_says_what_is_loaded):
        if SETTINGS[name].option in given:  # benches and a loader of the user's own have other defaults than torch
            words += _option(SETTINGS[name], chosen.get(name), default=None)
        elif not is_own_loader:
            words += _option(SETTINGS[name], chosen.get(name))
    is_step_missing = recommendation.bottleneck == "unknown" and ":" in recommendation.dataset
    if is_step_missing and choice.is_shown and not is_at_the_edge(choice, run):
        return shlex.join([*words, "--model", THEIR_MODEL])
    return shlex.join([*words, "--num-workers", ",".join(_workers(choice, run)), "--budget", _more_time(run)])


def _more_time(run: Run) -> str:
    """Return a budget of more rounds than `run` had: four times its own, else some minutes."""
    given = _given(run.command, ("--budget",))
    try:
        return f"{4 * parse_time(given[-1].removeprefix('--budget=')):g}s" if given else MORE_TIME
    except ValueError:
        return MORE_TIME


def _says_what_is_loaded(setting: Setting) -> bool:
    """Return whether a setting is an argument of DataLoader that the next run has to be given again."""
    return setting.is_argument and (setting.cost_rank is None or setting.is_open)


def _option(setting: Setting, value: object, default: object = "default") -> list[str]:
    """Return the option that sets a case's value again; none where it is missing, or torch's default.

    `default` is None where the value was given: it is given again, though it be torch's default.

    >>> _option(SETTINGS["batch_size"], 64.0), _option(SETTINGS["drop_last"], True), _option(SETTINGS["sampler"], None)
    (['--batch-size', '64'], ['--drop-last', 'on'], [])
    >>> _option(SETTINGS["drop_last"], False), _option(SETTINGS["persistent_workers"], False, default=None)
    ([], ['--persistent-workers', 'off'])
    """
    if setting.takes_none and not setting.is_open and is_missing(value):
        return [setting.option, "none"]
    if is_missing(value) or (default and value in (setting.default, default)):
        return []
    if setting.kind == "switch":
        return [setting.option, "on" if is_on(value) else "off"] if is_on(value) or not default else []
    return [setting.option, plain_number(value)]


def _workers(choice: Choice, run: Run) -> Sequence[str]:
    """Return the numbers of workers still in question."""
    candidates = [choice.chosen, choice.best, *(row for _, row in choice.undecided.iterrows())]
    candidates += [] if choice.is_shown else [choice.against]
    numbers = {int(row["num_workers"]) for row in candidates if not is_missing(row.get("num_workers"))}
    cpus = run.usable_cpus
    if choice.tried == 1 and cpus is not None:
        numbers |= {0, 1, min(2, cpus), cpus}
    if numbers and cpus is not None and is_at_the_edge(choice, run):
        numbers |= {min(2 * max(numbers), cpus)}
    return [str(number) for number in sorted(numbers)]


def _carried(command: Sequence[str]) -> list[str]:
    """Return the options of a run that say what is loaded and trained, with their values: the next run needs them too.

    >>> _carried(["--quick", "--model", "my.model:Net", "--loss=mse", "--rounds", "3"])
    ['--model', 'my.model:Net', '--loss=mse']
    """
    return _given(command, tuple(entry.option for entry in WORKLOAD_OPTIONS.values()))


def _given(command: Sequence[str], options: tuple[str, ...]) -> list[str]:
    """Return those of `options` that a command was given, with their values, in one word or two."""
    kept = []
    for word, value in zip(command, [*command[1:], ""], strict=True):
        if word in options:
            kept += [word, value]
        elif word.startswith(tuple(f"{option}=" for option in options)):
            kept.append(word)
    return kept

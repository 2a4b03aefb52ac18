"""The options of the benches: declared for pytest, and read. Which cases to run, and how long to measure each.

What is measured (settings, and options that say what is loaded and trained) comes from the vocabulary; how long and
where to measure is declared here. A value that cannot be read is one line that names its option.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from loaderbench.benches.harness.cases import case_sets
from loaderbench.benches.harness.cases.case_sets import Values
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.case_loader import SAMPLERS, case_loader, loader_object
from loaderbench.benches.harness.loading.collate_choice import collate_fn
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.own_loader import OwnLoader, check_variation, load_own_loader, varied_settings
from loaderbench.benches.harness.loading.subject import DatasetChoice, Subject, own_choice
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.system.placement import Placement
from loaderbench.benches.harness.training.model_choice import ModelChoice
from loaderbench.reports.units import parse_time, parse_whole
from loaderbench.reports.vocabulary import SETTINGS, WORKLOAD_OPTIONS, swept


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuringOption:
    """An option that says how to measure, not what."""

    name: str
    """The attribute that holds it, such as ``round_s``."""
    option: str
    """How it is written, such as ``--round-time``."""
    metavar: str
    help: str
    read: Callable[[str], Any] = str
    default: Any = ""


_QUICK_CASE_S = 6.0  # workers that are spawned take longer to start twice: one round of them is enough

MEASURING: tuple[MeasuringOption, ...] = (
    MeasuringOption(
        name="rounds", option="--rounds", metavar="N", read=partial(parse_whole, least=1), default=None,
        help="Rounds of each case (default: the bench's own, else 3, with --full 9).",
    ),
    MeasuringOption(
        name="round_s", option="--round-time", metavar="TIME", read=parse_time, default=0.2,
        help="A round lasts at least this long: shorter passes are repeated within it (default: 200ms).",
    ),
    MeasuringOption(
        name="pass_s", option="--pass-time", metavar="TIME", read=parse_time, default=2.0,
        help="What --samples auto lets a pass over your dataset take in one process (default: 2s).",
    ),
    MeasuringOption(
        name="pass_batches", option="--pass-batches", metavar="N", read=parse_whole, default=0,
        help="At least N batches of the largest --batch-size for each worker in such a pass (default: 512 samples for "
        "each second of --pass-time).",
    ),
    # What a budget leaves.
    MeasuringOption(
        name="longest_pass_s", option="--longest-pass", metavar="TIME", read=parse_time, default=math.inf,
        help=argparse.SUPPRESS,
    ),
    MeasuringOption(
        name="case_s", option="--case-time", metavar="TIME", read=parse_time, default=None,
        help="Fewer rounds where they would take longer than this together (default: 6s; with --rounds or --full no "
        "limit).",
    ),
    MeasuringOption(
        name="seed", option="--seed", metavar="N", read=parse_whole, default=0,
        help="Seeds shuffling and the order of cases (default: 0).",
    ),
    MeasuringOption(
        name="placement", option="--placement", metavar="CORE", read=parse_whole, default=None,
        help="Run the main process on this core (the first that may be used is 0) and worker i on the one i + 1 "
        "further: to compare, not to report.",
    ),
    MeasuringOption(
        name="run_dir", option="--run-dir", metavar="DIR",
        help="Where the record goes: a folder that holds none yet (default: runs/<when>-<commit>).",
    ),
    MeasuringOption(
        name="resume", option="--resume", metavar="DIR", help="Measure what that run's record lacks, and complete it."
    ),
    MeasuringOption(
        name="rank_timeout_s", option="--rank-timeout", metavar="TIME", read=parse_time, default=300.0,
        help="Give up on ranks that have not ended a pass, or their set-up, after this time (default: 5m).",
    ),
    # The gate's end of a socket, see lockstep.
    MeasuringOption(
        name="lockstep", option="--lockstep", metavar="FD", read=parse_whole, default=None, help=argparse.SUPPRESS
    ),
)  # fmt: skip


def declare(parser: pytest.Parser) -> None:
    """Declare every option, in a group of their own. Their texts are read by `Options.from_pytest`."""
    group = parser.getgroup("loaderbench", "loaderbench: what to load, and how")
    group.addoption("--quick", action="store_true", help="The default: one setting at a time around the usual values.")
    group.addoption("--full", action="store_true", help="Every combination of more values.")
    for name in swept():
        setting = SETTINGS[name]
        text = f"{setting.help[:1].upper()}{setting.help[1:]}: {setting.takes}; several with commas."
        group.addoption(setting.option, dest=name, metavar="LIST", default=None, help=_escaped(text))
    for entry in WORKLOAD_OPTIONS.values():
        text = f"{entry.help[:1].upper()}{entry.help[1:]}."
        group.addoption(entry.option, default=entry.default, metavar=entry.metavar, help=_escaped(text))
    for option in MEASURING:
        group.addoption(
            option.option, dest=option.name, metavar=option.metavar, default=option.default, help=option.help
        )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What this session measures: values as the command line names them (`asked`) and as the set does (`usual`).

    Raises RefusedError where a number is out of its range.
    """

    usual: Mapping[str, Values]
    asked: Mapping[str, Values] = field(default_factory=dict)
    is_full: bool = False
    """Whether every combination is measured, or one setting varies at a time."""
    rounds: int | None = None
    """As asked; None leaves it to the bench, or to the set."""
    usual_rounds: int = 3
    round_s: float = 0.2
    case_s: float = math.inf
    timeout_s: float = 60.0
    rank_timeout_s: float = 300.0
    seed: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)
    """What was given for each of `WORKLOAD_OPTIONS`."""
    datasets: DatasetChoice = field(default_factory=DatasetChoice)
    own_loader: OwnLoader | None = None
    model: ModelChoice = field(default_factory=ModelChoice)
    placement: Placement | None = None

    def __post_init__(self) -> None:
        if not self.case_s > 0:
            raise RefusedError(f"--case-time must be > 0, got {self.case_s}")
        if not self.datasets.pass_s > 0:
            raise RefusedError(f"--pass-time must be > 0, got {self.datasets.pass_s}")

    @classmethod
    def from_pytest(cls, config: pytest.Config, agree: Callable[[str, int], int] = own_choice) -> "Options":
        """Return the options as given; raises RefusedError naming the option that cannot be read."""
        is_full = config.getoption("full")
        if is_full and config.getoption("quick"):
            raise RefusedError("--quick and --full name two sets of cases: give one")
        asked = {name: _values(name, text) for name in swept() if (text := config.getoption(name)) is not None}
        usual = case_sets.full() if is_full else case_sets.quick()
        given = {option.name: _value(option, config.getoption(option.name)) for option in MEASURING}
        texts = {name: config.getoption(name) for name in WORKLOAD_OPTIONS}
        placement = given["placement"]
        own_loader = load_own_loader(texts["from_loader"]) if texts["from_loader"] else None
        if own_loader is not None:
            check_variation(own_loader, asked, texts["samples"])
        return cls(
            usual=usual,
            asked=asked,
            is_full=is_full,
            usual_rounds=9 if is_full else 3,
            **{name: given[name] for name in ("rounds", "round_s", "seed", "rank_timeout_s")},
            case_s=_case_s(given, is_full=is_full),
            timeout_s=loader_timeout_s(texts["loader_timeout"]),
            texts=texts,
            own_loader=own_loader,
            datasets=DatasetChoice(
                given=None if own_loader is None else own_loader.given_dataset,
                dataset_args=texts["dataset_args"],
                samples=texts["samples"],
                pass_s=given["pass_s"],
                least_samples=given["pass_batches"] * _widest({**usual, **asked}),
                fewest_samples=_widest({**usual, **asked}),
                longest_s=given["longest_pass_s"],
                is_quick=not is_full,
                agree=agree,
            ),
            model=ModelChoice.of(texts),
            placement=None if placement is None else Placement.starting(placement),
        )

    def resolve(self) -> None:
        """Load what the command line names, before any case: one RefusedError now, not an error in every case."""
        for device in self.asked.get("device", ()):
            if device not in available():
                raise RefusedError(f"--device {device}: this machine has {', '.join(available())}")
        for dataset in self.asked.get("dataset", () if self.own_loader is None else (self.own_loader.named.target,)):
            self.datasets.subject(dataset)
        for name in self.asked.get("collate_fn", ()):
            collate_fn(name)
        for argument in (*SAMPLERS, "worker_init_fn"):
            for name in self.asked.get(argument, ()):
                loader_object(argument, name)
        self.model.check()

    def loader(self, settings: Mapping[str, Any]) -> LoaderConfig:
        """Return the loader of the case that has these settings, to be built over its dataset."""
        return self.loaded(settings)[1]

    def loaded(self, settings: Mapping[str, Any]) -> tuple[Subject, LoaderConfig]:
        """Return the dataset of the case that has these settings, and its loader."""
        subject = self.datasets.subject(settings["dataset"])
        return case_loader(
            subject,
            settings,
            seed=self.seed,
            timeout_s=self.timeout_s,
            placement=self.placement,
            own_loader=self.own_loader,
        )

    @property
    def extras(self) -> dict[str, Any]:
        """Return what identifies this session's cases beyond settings: arguments and models that are no defaults."""
        given = ((WORKLOAD_OPTIONS[name], text) for name, text in self.texts.items())
        return {entry.column or entry.name: text for entry, text in given if entry.identifies and text != entry.default}

    def values(self, setting: str, bench_values: "str | Sequence[Any] | None" = None) -> Values:
        """Return the values of `setting`: as asked, else that of the user's own loader, the bench's own, the set's.

        `bench_values` is a sequence, the usual one first, or "first": the first of the set's values alone.
        """
        if setting in self.asked:
            return self.asked[setting]
        if self.own_loader is not None and setting in (settings := varied_settings(self.own_loader, self.asked)):
            return (settings[setting],)
        if bench_values is None or bench_values == "first":
            values = case_sets.usual_values(self.usual, setting)
            return values[:1] if bench_values == "first" else values
        return tuple(bench_values)


def _case_s(given: Mapping[str, Any], *, is_full: bool) -> float:
    """Return the seconds that the rounds of a case may take together."""
    if given["case_s"] is not None:
        return float(given["case_s"])
    return math.inf if is_full or given["rounds"] else _QUICK_CASE_S


def _values(name: str, text: str) -> Values:
    setting = SETTINGS[name]
    try:
        return case_sets.distinct(*(setting.read(word.strip()) for word in text.split(",")))
    except ValueError as error:
        raise RefusedError(f"{setting.option} takes {setting.takes}, got {text!r}") from error


def _value(option: MeasuringOption, given: Any) -> Any:
    """Return the value of an option: its default as it is, a text as it is read."""
    if not isinstance(given, str):
        return given
    try:
        return option.read(given)
    except ValueError as error:
        raise RefusedError(f"{option.option} {error}") from error


def loader_timeout_s(text: str) -> float:
    """Return the seconds that ``--loader-timeout`` names; raises RefusedError."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise RefusedError(f"{WORKLOAD_OPTIONS['loader_timeout'].option} {error}") from error


def _widest(values: Mapping[str, Values]) -> int:
    """Return the samples that all workers hold when each has one batch, where both numbers are largest."""
    return int(max(size or 1 for size in values["batch_size"]) * max(1, *values["num_workers"]))

"""The command line: which cases to run, and how long to measure each."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from torch import multiprocessing

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.subject import DatasetChoice, collate_fn, own_choice
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.system.machine import usable_cpus
from loaderbench.benches.harness.system.placement import Placement
from loaderbench.benches.harness.training import ModelChoice
from loaderbench.reports.vocabulary import SETTINGS

Values = tuple[Any, ...]


def _at_least(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if (number := int(text)) < least:
            raise ValueError(f"{number} < {least}")
        return number

    return read


def _switch(text: str) -> bool:
    return {"on": True, "off": False}[text]


def _one_of(*names: str) -> Callable[[str], str]:
    return {name: name for name in names}.__getitem__


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """A setting that can be swept: how one value is read, what it may be, and what it is."""

    read: Callable[[str], Any]
    takes: str
    help: str


AXES: Mapping[str, Axis] = {
    "device": Axis(read=str, takes="cpu, cuda, …", help="where batches are placed and models run"),
    "dataset": Axis(read=str, takes="a name of ours or module:attribute", help="what is loaded"),
    "num_workers": Axis(read=_at_least(0), takes="whole numbers >= 0", help="worker processes"),
    "batch_size": Axis(read=_at_least(1), takes="whole numbers >= 1", help="samples in a batch"),
    "collate_fn": Axis(read=str, takes="default, pad, pack, stack_into or module:attribute", help="samples to a batch"),
    "pin_memory": Axis(read=_switch, takes="on or off", help="page-locked batches; needs an accelerator"),
    "prefetch_factor": Axis(read=_at_least(1), takes="whole numbers >= 1", help="batches in flight for each worker"),
    "persistent_workers": Axis(read=_switch, takes="on or off", help="workers live on between epochs"),
    "start_method": Axis(
        read=_one_of(*multiprocessing.get_all_start_methods()),
        takes=", ".join(multiprocessing.get_all_start_methods()),
        help="how workers are started",
    ),
    "sampling": Axis(
        read=_one_of(*SETTINGS["sampling"].choices),
        takes=SETTINGS["sampling"].takes,
        help="the order and choice of samples",
    ),
    "fetch": Axis(
        read=_one_of("getitem", "getitems"),
        takes="getitem, getitems",
        help="samples one by one, or a batch in a call",
    ),
    "in_order": Axis(read=_switch, takes="on or off", help="batches in the sampler's order, or as they are ready"),
    "non_blocking": Axis(read=_switch, takes="on or off", help="copies to the device run beside the host"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What this session measures. `asked` holds the axes set on the command line, `named` the set's values."""

    named: Mapping[str, Values]
    asked: Mapping[str, Values] = field(default_factory=dict)
    rounds: int | None = None  # as asked; None leaves it to the bench, or to the set
    usual_rounds: int = 5
    round_s: float = 0.2
    case_s: float = math.inf
    timeout_s: float = 60.0
    seed: int = 0
    sources: DatasetChoice = field(default_factory=DatasetChoice)
    model: ModelChoice = field(default_factory=ModelChoice)
    placement: Placement | None = None

    def __post_init__(self) -> None:
        if self.rounds is not None and self.rounds < 1:
            raise RefusedError(f"--rounds must be >= 1, got {self.rounds}")
        if self.round_s < 0:
            raise RefusedError(f"--round-time must be >= 0, got {self.round_s}")
        if not self.case_s > 0:
            raise RefusedError(f"--case-time must be > 0, got {self.case_s}")
        if not self.sources.pass_s > 0:
            raise RefusedError(f"--pass-time must be > 0, got {self.sources.pass_s}")
        if self.timeout_s < 0:
            raise RefusedError(f"--loader-timeout must be >= 0 seconds, got {self.timeout_s}")

    @classmethod
    def from_pytest(cls, config: pytest.Config, agree: Callable[[str, int], int] = own_choice) -> "Options":
        """Return the options as given; raises RefusedError naming the option that cannot be read."""
        full = config.getoption("full")
        if full and config.getoption("quick"):
            raise RefusedError("--quick and --full name two sets of cases: give one")
        asked = {name: _read(name, text) for name in AXES if (text := config.getoption(name)) is not None}
        named = _full() if full else _quick()
        placed = config.getoption("placement")
        return cls(
            named=named,
            asked=asked,
            rounds=config.getoption("rounds"),
            usual_rounds=9 if full else 5,
            round_s=config.getoption("round_s"),
            case_s=config.getoption("case_s"),
            timeout_s=config.getoption("timeout_s"),
            seed=config.getoption("seed"),
            sources=DatasetChoice(
                dataset_args=config.getoption("dataset_args"),
                samples=config.getoption("samples"),
                pass_s=config.getoption("pass_s"),
                agree=agree,
                least_samples=config.getoption("pass_batches") * _widest({**named, **asked}),
            ),
            model=ModelChoice(
                model=config.getoption("model"),
                model_args=config.getoption("model_args"),
                loss=config.getoption("loss"),
            ),
            placement=None if placed is None else Placement.starting(placed),
        )

    def resolve(self) -> None:
        """Load what the command line names, before any case: RefusedError now, not an error in every case."""
        for device in self.asked.get("device", ()):
            if device not in available():
                raise RefusedError(f"--device {device}: this machine has {', '.join(available())}")
        for dataset in self.asked.get("dataset", ()):
            self.sources.subject(dataset)
        for name in self.asked.get("collate_fn", ()):
            collate_fn(name)
        self.model.load()

    @property
    def extras(self) -> dict[str, Any]:
        """What else tells this session's cases from another's: arguments and models that are not the default."""
        given = {
            "dataset_args": self.sources.dataset_args,
            "samples": "" if self.sources.samples == "auto" else self.sources.samples,
            "model": self.model.model,
            "model_args": self.model.model_args,
            "loss": self.model.loss,
        }
        return {name: value for name, value in given.items() if value}

    def values(self, axis: str, default: "str | Sequence[Any] | None" = None) -> Values:
        """Values of `axis`: as asked, else the bench's own `default` (a tuple, or first, last), else the set's."""
        if axis in self.asked:
            return self.asked[axis]
        values = self.named[axis]
        if isinstance(default, str):
            return {"first": values[:1], "last": values[-1:]}[default]
        return values if default is None else tuple(default)


def _read(name: str, text: str) -> Values:
    axis = AXES[name]
    try:
        return tuple(dict.fromkeys(axis.read(word.strip()) for word in text.split(",")))
    except (ValueError, KeyError) as error:
        raise RefusedError(f"--{name.replace('_', '-')} takes {axis.takes}, got {text!r}") from error


def _widest(values: Mapping[str, Values]) -> int:
    """Samples that all workers hold when each has one batch, where both are largest."""
    return int(max(values["batch_size"]) * max(1, *values["num_workers"]))


def _quick() -> dict[str, Values]:
    """About five minutes on two cores: every bench, the settings people ask about first."""
    cpus = usable_cpus()
    return {
        "device": available(),
        "dataset": ("text", "images", "tokens", "table", "shards"),
        "num_workers": tuple(sorted({0, 1, 2, cpus})),
        "batch_size": (32, 256),
        "collate_fn": ("auto",),
        "pin_memory": (False, True),
        "prefetch_factor": (2,),
        "persistent_workers": (True,),
        "start_method": (multiprocessing.get_start_method(),),
        "sampling": ("shuffle",),
        "fetch": ("getitems",),
        "in_order": (True,),
        "non_blocking": (True,),
    }


def _full() -> dict[str, Values]:
    """Everything: more batch sizes, workers up to the machine's CPUs, prefetch depths."""
    cpus = usable_cpus()
    doubling = {1 << power for power in range(cpus.bit_length())}
    return {
        **_quick(),
        "num_workers": tuple(sorted({0, cpus} | doubling)),
        "batch_size": (16, 64, 256, 1024),
        "prefetch_factor": (2, 8),
    }

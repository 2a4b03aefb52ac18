"""What a setting, a metric and a workload option are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

Value = str | int | bool | None
Better = Literal["higher", "lower"]
ANY = object()  # as a value without workers: it matters there too

Entry = TypeVar("Entry", "Setting", "Metric", "WorkloadOption")

_SWITCH = {"on": True, "off": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One thing that can be set before loading begins."""

    name: str
    """Its column, its argument of DataLoader where it is one, and its option (with dashes)."""
    help: str
    kind: Literal["whole", "switch", "name"] = "name"
    least: int = 0
    """The smallest value of a whole number."""
    choices: tuple[str, ...] = ()
    """The names that are known, from the smallest to the largest."""
    is_open: bool = False
    """Whether other names than `choices` are allowed, such as module:attribute."""
    takes_none: bool = False
    """Whether ``none`` is one of its values."""
    default: Value = None
    """Its value in a case where nothing sweeps it: torch's own where torch has one."""
    without_workers: object = ANY
    """Its only value with num_workers=0, where DataLoader refuses or ignores any other."""
    cost_rank: int | None = None
    """Its rank among the settings that change speed only, not which batches come; 0 costs most per unit (a worker).

    "The smallest setting" is decided in this order.
    """
    is_panel: bool = False
    """Whether it says what a verdict and a panel are about."""
    is_swept: bool = True
    """Whether it has an option that takes a list of values."""
    is_argument: bool = False
    """Whether it is an argument of DataLoader by its own name."""
    makes_argument: bool = False
    """Whether it is the value of arguments with other names: start_method is ``multiprocessing_context``."""
    has_column: bool = False
    """Whether it has a column of its own in the table of cases; the others share one."""
    phrase: str = ""
    """How a case's name says it, such as ``workers={}``; of a switch, the word for on."""
    phrase_off: str = ""
    """The word for a switch that is off."""

    @property
    def option(self) -> str:
        """Return its option, such as ``--num-workers``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def takes(self) -> str:
        """Return in words which values it takes."""
        none = " or none" if self.takes_none else ""
        if self.kind == "whole":
            return f"whole numbers >= {self.least}{none}"
        if self.kind == "switch":
            return "on or off"
        return (", ".join([*self.choices, *(["module:attribute"] if self.is_open else [])]) or "a name") + none

    def read(self, text: str) -> Value:
        """Return the value that `text` names; raises ValueError saying what is taken.

        >>> workers = Setting(name="num_workers", help="processes that load", kind="whole")
        >>> workers.read("2")
        2
        """
        if self.takes_none and text == "none":
            return None
        if self.kind == "whole" and text.isdecimal() and int(text) >= self.least:
            return int(text)
        if self.kind == "switch" and text in _SWITCH:
            return _SWITCH[text]
        if self.kind == "name" and text and (self.is_open or not self.choices or text in self.choices):
            return text
        raise ValueError(f"{self.option} takes {self.takes}, got {text!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRule:
    """How two revisions are compared by a metric."""

    scale: Literal["ratio", "difference"] = "ratio"
    margins: float = 1.0
    """How many margins a change must exceed: a cold start varies more than a pass."""
    floor: float = 0.0
    """No difference below this, in the metric's unit, is worth a verdict."""
    is_summed: bool = False
    """Whether a block's rounds are summed before revisions are compared: its clock may have coarse steps."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity that is measured, or derived from what was measured."""

    name: str
    """The column that holds it."""
    label: str
    unit: str
    """SI; "share" is a fraction of one, "ratio" a quotient of two like quantities, "index" a place, "" a count."""
    better: Better | None = None
    """Which way is better, where one is."""
    meaning: str = ""
    """One sentence for a reader who has never met it."""
    aggregate: Literal["median", "max", "total", "derived"] = "median"
    """What a case keeps of its rounds; "total" only enters quotients, "derived" is worked out in `stats.summary`."""
    quotient: tuple[str, str] | None = None
    """Of a derived metric that is a total over a total: the two metrics of a round."""
    in_table: bool = False
    """Whether it is a column of the table of all cases."""
    result_rank: int | None = None
    """A case's result is the metric it has that comes first by this; None: never the result."""
    trend_rank: int | None = None
    """The same for the trend of a case over runs."""
    gate: GateRule | None = None
    """How the gate judges it; None: it does not."""
    figure: str = ""
    """The section of the report in which it is drawn over the setting that varies; "": other figures show it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadOption:
    """An option that says what is loaded or trained, takes one text and is no setting."""

    name: str
    """As Python writes it: ``dataset_args`` is ``--dataset-args``."""
    metavar: str
    help: str
    default: str = ""
    column: str = ""
    """What the record calls it where that is not its name."""
    identifies: bool = True
    """Whether it is part of a case's identity."""

    @property
    def option(self) -> str:
        """Return how it is written, such as ``--dataset-args``."""
        return f"--{self.name.replace('_', '-')}"


def by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the entries by their names; raises ValueError where a name is taken twice."""
    named: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in named:
            raise ValueError(f"{entry.name} is declared twice")
        named[entry.name] = entry
    return named

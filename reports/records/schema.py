"""The record of a run: what the harness writes and the reports read, declared here alone.

A run's folder holds ``run.json`` (`RECORD`), or while the run is under way, and where it was killed, ``run.jsonl``
(`GROWING_RECORD`).

``run.json`` is pytest-benchmark's JSON, which pytest-benchmark's own tools read, with an object of ours (`RunAbout`)::

    {"machine_info": {…}, "commit_info": {"id": …, "branch": …, "dirty": …}, "datetime": …, "version": …,
     "benchmarks": [
       {"group": …, "name": "bench_epoch[…]", "fullname": …, "params": {…}, "stats": {…},     # `Benchmark`
        "extra_info": {"bench": "epoch",                                                      # `Measurement`
                       "settings": {"dataset": "images", "num_workers": 2, …},
                       "facts":    {"passes": 1, …},
                       "warmup":   {"seconds": [0.41],       "samples": [512],      …},
                       "rounds":   {"seconds": [0.40, 0.39], "samples": [512, 512], …},
                       "slowest":  [{"index": 7, "seconds": 0.1, "share": 0.2}, …],
                       "ranks":    [{"rank": 0, "host": …, "rounds": {"seconds": [0.40, 0.38], …}}, …]}}, …],
     "loaderbench": {"schema": 2, "run": …, "version": …, "started": …, "finished": …, "complete": true,
                     "planned": 2, "order": ["bench_epoch[…]", …], "seed": 0, "command": ["--dataset", …],
                     "machine": {"cpu_model": …, "accelerator": {"name": …}, …},
                     "failed": [{"name", "bench", "settings", "reason", "phase"}, …],         # `Missed`
                     "skipped": [{"name", "bench", "settings", "reason"}, …]}}

The first line of ``run.jsonl`` is the same object without ``benchmarks`` (and with neither ``failed`` nor ``skipped``
in it); then each case that ended is a line: ``{"benchmark": {…}}``, ``{"failed": {…}}`` or ``{"skipped": {…}}``. Of a
case that was measured again there is a line each time, and the last has all its rounds. What follows the last newline
was cut off.

Numbers are in SI units. A missing value is null, a switch true or false; there is no NaN and no infinity. A change of
any key or of its meaning raises `SCHEMA`; a record of another schema is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from loaderbench.reports.records.slow_samples import SlowSample

if TYPE_CHECKING:  # the harness imports this module, and needs neither
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = 2
RECORD = "run.json"
GROWING_RECORD = "run.jsonl"
ENDINGS = ("benchmark", "failed", "skipped")  # how a case ends: the key of its line in the growing record

# Facts that decide how fast a machine can be: runs that differ in one are of unlike machines. Versions (torch, Python,
# driver, kernel) may be what is compared, so they are left out; so is the node, as the runners of a pool are alike.
SAME_MACHINE = ("cpu_model", "cpus_affinity", "cpus_quota", "accelerator_name")

IDENTITY = ("run", "case", "bench")  # the columns by which a row of any frame is found
LONGEST_TEXT = 1000  # characters: longer names are no names
MOST_NAMES = 64  # settings, facts or metrics of one case
LARGEST = 10**18  # in any unit: an exabyte, or the age of the universe in seconds

RESERVED = frozenset({*IDENTITY, "warmup", "round", "rounds", "status", "reason", "phase"})  # no settings

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
ShortText = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Scalar = str | int | float | bool
PlainScalar: Any = (
    ShortText
    | bool
    | Annotated[int, Meta(ge=-LARGEST, le=LARGEST)]
    | Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
    | None
)
"""A `Scalar` as a file may hold it; NaN is not in its range."""
MetricColumn = list[Annotated[float, Meta(ge=0, le=LARGEST)] | None]
"""A metric, one value a round."""
Names = Annotated[dict[Name, Any], Meta(max_length=MOST_NAMES)]
"""Values by the names of settings, facts or metrics, still to be checked one by one."""


def cut_by_quota(affinity: int, quota: object) -> int:
    """Return the CPUs that a process can really use, where a control group's `quota`, a number of CPUs, may limit it.

    >>> cut_by_quota(8, None), cut_by_quota(8, 2.5), cut_by_quota(2, 4.0), cut_by_quota(2, 0.5)
    (8, 2, 2, 1)
    """
    return max(1, min(affinity, int(quota))) if isinstance(quota, int | float) else affinity


class RankRounds(Struct, frozen=True, kw_only=True):
    """The rounds of one rank of a case of many."""

    rank: Annotated[int, Meta(ge=0, le=LARGEST)]
    host: ShortText
    rounds: Names
    """As those of the case, its own."""


class Measurement(Struct, frozen=True, kw_only=True):
    """The ``extra_info`` of a benchmark: what was measured of one case."""

    bench: Name
    """The bench without ``bench_``."""
    settings: Names
    """One `Scalar` for each setting; null where it has none."""
    rounds: Names
    """Metrics as columns of equal length."""
    warmup: Names = {}
    """The same metrics of the rounds that were discarded."""
    facts: Names = {}
    """What else is known of the case, one `Scalar` for each name."""
    slowest: Annotated[list[SlowSample], Meta(max_length=MOST_NAMES)] = []
    """The samples that took longest, the longest first, where the bench read them one by one."""
    ranks: list[RankRounds] = []
    """Of a case of many ranks."""


class Benchmark(Struct, frozen=True, kw_only=True):
    """One of pytest-benchmark's benchmarks, as far as it is read."""

    name: Name
    extra_info: Measurement


class Missed(Struct, frozen=True, kw_only=True):
    """A case that failed or was skipped."""

    name: Name
    bench: Name
    settings: Names = {}
    reason: str
    """One line."""
    phase: str = ""
    """Of a failed case: setup, call or teardown."""
    status: str = ""
    """How it ended: "failed" or "skipped", which in the file is the name of its list."""


class RunAbout(Struct, frozen=True, kw_only=True):
    """The ``loaderbench`` object: what is known of the run as a whole."""

    schema: int
    run: Name
    """A name that no other run has: when it began and a random part."""
    version: ShortText
    """Of loaderbench."""
    started: datetime | None
    finished: datetime | None = None
    complete: bool = False
    """Whether every planned case has ended."""
    planned: int | None = None
    """Cases that were to be run."""
    order: list[str] = []
    """Their names, in the order in which they were run."""
    seed: int | None = None
    """From which the order was drawn."""
    command: list[str] = []
    """The options that pytest was given."""
    machine: dict[str, Any]
    """Plain facts; those of the accelerator are an object of their own, or null."""
    failed: list[Any] = []
    skipped: list[Any] = []


class RunFile(Struct, frozen=True, kw_only=True):
    """A ``run.json`` whose entries are still to be checked, one at a time: a faulty one costs no other."""

    benchmarks: list[Any]
    loaderbench: RunAbout
    commit_info: dict[str, Any] = {}


Columns = Mapping[str, "NDArray[np.float64]"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A measured case that was read: `rounds` and `warmup` hold columns of equal length, missing values as NaN."""

    name: str
    bench: str
    settings: Mapping[str, Scalar]
    facts: Mapping[str, Scalar]
    rounds: Columns
    warmup: Columns
    slowest: tuple[SlowSample, ...] = ()
    ranks: tuple[tuple[int, str, Columns], ...] = ()
    """Of each rank its number, its host and its rounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run that was read: where and when, on what, and how far it came."""

    name: str
    path: Path
    """The file that was read."""
    started: datetime | None
    finished: datetime | None
    planned: int | None
    """Cases that were to be run."""
    ended: int
    """Cases that were measured, failed or skipped."""
    complete: bool
    version: str
    command: tuple[str, ...]
    """The options the run was given."""
    machine: Mapping[str, Scalar]
    commit: Mapping[str, Scalar]

    @property
    def usable_cpus(self) -> int | None:
        """Return how many CPUs its processes could really use; None where the record does not say."""
        affinity, quota = self.machine.get("cpus_affinity"), self.machine.get("cpus_quota")
        return cut_by_quota(affinity, quota) if isinstance(affinity, int) else None

    @property
    def completeness(self) -> str:
        """Return how far the run came, such as ``interrupted: 3 of 4 cases``."""
        if self.complete:
            return f"complete: {self.ended} cases"
        return f"interrupted: {self.ended} of {self.planned or 'an unknown number of'} cases"

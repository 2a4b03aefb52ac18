"""The file ``explain.json``: what ``loaderbench explain`` measured, before anything is concluded from it."""

from typing import Annotated, Any

import msgspec

from loaderbench.reports.records.command_record import CommandRecord

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Passes = Annotated[tuple[Seconds, ...], msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class InterventionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the loader that removes one cause, or several together."""

    cause: str
    evidence: str  # what speaks for the cause before anything is measured
    change: str  # the line of code to change
    call: str = ""  # of DataLoader, with the change made
    caveat: str = ""  # what else the change does
    possible_gain: float = 0.0  # the share of a pass that it may save, going by the baseline: what is tried first
    combines: tuple[str, ...] = ()  # the causes that are removed together
    once_per_epoch: bool = False  # the cause costs the same in an epoch of any length: workers start, for example
    keeps_workers: bool = False  # with the cause, workers start in every pass; without it, they stay or there are none
    builds_on: str = ""  # the cause that is removed in both loaders
    fewest_batches: int = 0  # of a pass that shows what the change saves: in a shorter one it cannot save anything


class NotRun(msgspec.Struct, frozen=True, kw_only=True):
    """A cause whose intervention was not measured, and the reason."""

    cause: str
    reason: str


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, or costs time, and was seen without A/B passes."""

    what: str
    evidence: str
    change: str


class PassBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of the passes of a fresh pair of loaders, in turns, with the cause and without it."""

    cause: str
    samples: Count  # of a pass
    with_cause_s: Passes
    without_cause_s: Passes

    def __post_init__(self) -> None:
        if len(self.with_cause_s) != len(self.without_cause_s):
            raise ValueError(f"{len(self.with_cause_s)} passes with the cause and {len(self.without_cause_s)} without")


class MemoryReadings(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a loader's processes: before it was built, at its first batch, and at the end of each epoch."""

    before_pss_bytes: float
    pss_bytes: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]
    uss_bytes: tuple[float, ...]
    peak_shm_bytes: float  # of shared memory, in the first epoch

    @property
    def added_bytes(self) -> float:
        """Return what the processes hold in the end, less what was held before the loader was built."""
        return self.pss_bytes[-1] - self.before_pss_bytes


class LoaderMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Memory over the epochs, and of loaders whose many Python objects are in arrays, or are not."""

    expected_shm_bytes: float  # of the batches in flight and the one in use
    readings: MemoryReadings | None = None  # None where there was no time for it
    collections: tuple[str, ...] = ()  # lists and dicts of many Python objects: attributes, or the dataset itself
    in_objects: tuple[MemoryReadings, ...] = ()
    in_arrays: tuple[MemoryReadings, ...] = ()

    def __post_init__(self) -> None:
        if len(self.in_objects) != len(self.in_arrays):
            raise ValueError(f"{len(self.in_objects)} loaders with objects and {len(self.in_arrays)} with arrays")


class DatasetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset, and how much of it one pass reads."""

    name: str
    samples: Count
    samples_read: Count
    is_whole: bool = True  # an epoch has `samples`; else they are the first ones of a stream that had not ended


class Explanation(CommandRecord, frozen=True, kw_only=True):
    """Everything that was measured."""

    COMMAND = "explain"
    SCHEMA = 3

    seed: int
    loader: dict[str, Any]  # DataLoader's arguments that are not torch's defaults
    dataset: DatasetFacts
    budget_s: float
    time_shares: dict[str, float]  # of a pass: what the loop waited for, and its step
    start_s: float = 0.0  # of every epoch, by one reading: its workers start; 0 where they are persistent
    interventions: tuple[InterventionFacts, ...]
    not_run: tuple[NotRun, ...] = ()
    blocks: tuple[PassBlock, ...] = ()
    observations: tuple[Observation, ...] = ()
    memory: LoaderMemory | None = None  # None where it was not measured any more
    interrupted: bool = False

    def __post_init__(self) -> None:
        causes = {intervention.cause for intervention in self.interventions}
        if unknown := [block.cause for block in self.blocks if block.cause not in causes]:
            raise ValueError(f"a block of {unknown[0]!r}, which is none of the interventions")

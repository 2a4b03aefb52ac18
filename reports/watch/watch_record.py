"""The file ``watch.json``: what was seen of each loader of a script, before anything is concluded from it.

Times are in seconds since the watch began, on one clock for all processes of a machine.
"""

from pathlib import Path
from typing import Any

import msgspec

from loaderbench.reports.records.command_record import CommandRecord
from loaderbench.reports.records.json_files import in_file


class WatchedEpoch(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of a loop over a loader."""

    began_s: float
    """The loop asked for an iterator."""
    started_s: float
    """It was there: workers had been started."""
    requested_s: tuple[float, ...]
    """Each batch."""
    received_s: tuple[float, ...]
    idle_s: tuple[float | None, ...] = ()
    """For how long the device had nothing to do while each batch was waited for; null, or too few: not known."""
    own_work: tuple[tuple[int, float], ...] = ()
    """Time that the watch itself took in the loop: after which batch, and seconds."""
    ended_s: tuple[float, float] | None = None
    """When the loop asked for more and when it knew that there is none; null where it left before."""

    def __post_init__(self) -> None:
        if len(self.requested_s) != len(self.received_s):
            raise ValueError(f"{len(self.requested_s)} batches requested and {len(self.received_s)} received")


class MadeBatch(msgspec.Struct, frozen=True, array_like=True):
    """What a batch took where it was made."""

    epoch: int
    """Of `WatchedLoader.epochs`."""
    task: int
    """Its place in the epoch, where it is known; else -1."""
    fetching_s: float
    fetched_s: float
    collated_s: float
    cpu_s: float
    """CPU time of the thread that fetched and collated it."""
    samples: int
    """-1: not known."""
    costliest: int
    """The index of the sample that took longest, where it is known; else -1."""
    costliest_s: float


class WatchedLoader(msgspec.Struct, frozen=True, kw_only=True):
    """A loader, or several that the same lines made one after the other."""

    name: str
    """The line that made it, such as ``train.py:31``."""
    kind: str = "DataLoader"
    dataset: str = ""
    """Its class, such as ``my.data:Train``."""
    facts: dict[str, Any] = {}
    """Its arguments."""
    epochs: tuple[WatchedEpoch, ...] = ()
    made: tuple[MadeBatch, ...] = ()
    steps: int = 0
    """That it delivered; of a great many, only the first are in `epochs`."""
    loaders: int = 1
    """How many the same lines made, and were read."""
    failure: str = ""
    """What reading it raised."""


class Watched(CommandRecord, frozen=True, kw_only=True):
    """One process of a script that was watched."""

    COMMAND = "watch"
    SCHEMA = 1

    script: str = ""
    seconds: float
    """For how long it was watched."""
    ending: str = "finished"
    """finished, stopped, interrupted, failed; or running, of one that was written meanwhile."""
    why: str = ""
    """Of a script that failed."""
    rank: int = 0
    world_size: int = 1
    device: str = "cpu"
    loaders: tuple[WatchedLoader, ...] = ()
    memory: tuple[tuple[float, float], ...] = ()
    """When, and PSS of the process tree in bytes."""


def is_watched(path: Path) -> bool:
    """Return whether `path` is a folder that a watch left: of one process, or of several ranks."""
    return (path / Watched.file_name()).is_file() or bool(_rank_files(path))


def read_ranks(folder: Path) -> list[Watched]:
    """Return the record in a folder, or those of the ranks that have one in it, by rank; raises MalformedError."""
    files = _rank_files(folder)
    records = [_read_rank(file) for file in files] or [Watched.read(folder)]
    return sorted(records, key=lambda record: record.rank)


def _read_rank(file: Path) -> Watched:
    with in_file(f"{file.parent.name}/{file.name}"):
        return Watched.read(file)


def _rank_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"rank-*/{Watched.file_name()}"))

"""Which of several processes this is, and what the others of them have left."""

from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loaderbench.reports.watch.record import Watched

RANKS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"))
RUNNING = "still running"  # why a record that is saved meanwhile is not a whole one
OTHERS_END_WITHIN_S = 10.0
_ASKS_EVERY_S = 0.1


def rank_and_size(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return which of how many processes this is, as torchrun, Slurm or Open MPI says.

    >>> rank_and_size({"RANK": "1", "WORLD_SIZE": "4"}), rank_and_size({})
    ((1, 4), (0, 1))
    """
    for rank, size in RANKS:
        if environment.get(rank, "").isdecimal() and environment.get(size, "").isdecimal():
            return int(environment[rank]), int(environment[size])
    return 0, 1


def rank_folder(folder: Path, rank: int) -> Path:
    """Return the folder of one rank within that of all."""
    return folder / f"rank-{rank}"


def all_ranks(folder: Path, size: int, within_s: float = OTHERS_END_WITHIN_S) -> "list[Watched]":
    """Return the records of the ranks that have ended, of `size` in `folder`; those that have not are waited for."""
    end = monotonic() + within_s
    while True:
        ended = [record for rank in range(size) for record in _ended(rank_folder(folder, rank))]
        if len(ended) == size or monotonic() >= end:
            return ended
        sleep(_ASKS_EVERY_S)


def _ended(folder: Path) -> "list[Watched]":
    from loaderbench.reports.records.json_files import MalformedError  # noqa: PLC0415 - not before the script's own
    from loaderbench.reports.watch.record import Watched  # noqa: PLC0415

    try:
        record = Watched.read(folder)
    except MalformedError:
        return []
    return [] if record.why == RUNNING else [record]

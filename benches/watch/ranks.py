"""Which of several processes this is, and what the others of them have left."""

from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.ranks.rank_place import RankPlace

if TYPE_CHECKING:
    from loaderbench.reports.watch.watch_record import Watched

# Of launchers that say less than those of benches: DeepSpeed's and a user's own, MPICH's and Intel MPI's.
OTHER_LAUNCHERS = (("RANK", "WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"))
OTHERS_END_WITHIN_S = 10.0
_ASKS_EVERY_S = 0.1


def rank_and_size(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return which of how many processes this is, as its launcher says; raises RefusedError where that cannot be.

    >>> rank_and_size({"RANK": "1", "WORLD_SIZE": "4"}), rank_and_size({})
    ((1, 4), (0, 1))
    """
    try:
        place = RankPlace.of_launcher(environment)
    except ValueError as error:
        raise RefusedError(f"what the launcher of this process wrote into its environment: {error}") from None
    if place is not None:
        return place.rank, place.world_size
    for rank, size in OTHER_LAUNCHERS:
        if environment.get(rank, "").isdecimal() and environment.get(size, "").isdecimal():
            return int(environment[rank]), int(environment[size])
    return 0, 1


def folder_of_rank(out: Path | None, rank: int, size: int) -> Path | None:
    """Return the folder of one of `size` ranks within `out`; of one alone `out` itself. Raises RefusedError."""
    if size > 1 and out is None:
        raise RefusedError(f"rank {rank} of {size}: give --out DIR, in which each rank has a folder")
    return rank_folder(out, rank) if out is not None and size > 1 else out


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
    from loaderbench.reports.watch.watch_record import Watched  # noqa: PLC0415

    try:
        record = Watched.read(folder)
    except MalformedError:
        return []
    return [] if record.ending == "running" else [record]

"""What `loaderbench watch` says of several ranks: which waits for data, and which for the others."""

from collections.abc import Iterator, Sequence

from loaderbench.reports.documents.document import Part, Table, Text
from loaderbench.reports.documents.tables import amount, columns, numbers, row
from loaderbench.reports.units import count
from loaderbench.reports.watch.ranks import RankWaits, rank_waits
from loaderbench.reports.watch.watch_record import Watched


def parts_of_ranks(ranks: Sequence[Watched], world_size: int, shown: int) -> Iterator[Part]:
    """Yield which rank waits for data, and which for the others."""
    if world_size == 1:
        return
    waits = rank_waits(ranks)
    yield Text(text=_ranks_sentence(waits), strong=True)
    yield Table(
        name="ranks",
        columns=(*numbers("rank", "waiting for data", "rest of a step"), *columns("waits for")),
        rows=tuple(
            row(entry.rank, amount(entry.share, "share"), amount(entry.other_s, "s"), entry.waits_for)
            for entry in waits
        ),
    )
    if len(ranks) < world_size:
        left = "their records are not there"
        yield Text(text=f"{count(world_size - len(ranks), 'rank')} had not ended: {left}.", tone="warn")
    yield Text(text=f"All else that stands here is of rank {shown}.")


def _ranks_sentence(waits: Sequence[RankWaits]) -> str:
    """Say who waits.

    >>> one = RankWaits(rank=1, share=0.4, other_s=0.01, waits_for="data")
    >>> _ranks_sentence([RankWaits(rank=0, share=0.0, other_s=0.02, waits_for="the others"), one])
    'Rank 1 waits for data; rank 0 waits for the others.'
    >>> _ranks_sentence([one, RankWaits(rank=2, share=0.4, other_s=0.01, waits_for="data")])
    'Ranks 1 and 2 wait for data.'
    >>> _ranks_sentence([])
    'No rank waits for data.'
    """
    for_data = [entry.rank for entry in waits if entry.waits_for == "data"]
    for_others = [entry.rank for entry in waits if entry.waits_for == "the others"]
    if not for_data:
        return "No rank waits for data."
    others = f"; {_ranks_wait(for_others)} for the others" if for_others else ""
    return f"{_ranks_wait(for_data).capitalize()} for data{others}."


def _ranks_wait(ranks: Sequence[int]) -> str:
    numbered = [str(rank) for rank in ranks]
    if len(numbered) == 1:
        return f"rank {numbered[0]} waits"
    return f"ranks {', '.join(numbered[:-1])} and {numbered[-1]} wait"

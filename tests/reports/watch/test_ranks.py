"""Which rank waits for data, of waits that are made up."""

import pytest
from made_up_watches import epoch, loader, steady, watched
from msgspec.structs import replace

from loaderbench.reports.documents.watch.watch_document import watch_document
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.watch.ranks import rank_waits
from loaderbench.reports.watch.watch_record import Watched


def rank(number: int, wait_s: float, step_s: float) -> Watched:
    """A rank whose loop waits so long for each batch, and whose step takes so long, with what it waits for others."""
    return watched(loader(epoch([wait_s] * 100, [step_s] * 100)), rank=number, world_size=2)


def test_one_rank_waits_for_data_and_the_other_for_it() -> None:
    waits = rank_waits([rank(0, 0.0, 0.02), rank(1, 0.01, 0.01)])
    assert [entry.waits_for for entry in waits] == ["the others", "data"]


def test_ranks_that_all_wait_for_data_do_not_wait_for_each_other() -> None:
    assert {entry.waits_for for entry in rank_waits([rank(0, 0.01, 0.01), rank(1, 0.009, 0.01)])} == {"data"}


def test_where_no_rank_waits_none_is_slow() -> None:
    assert {entry.waits_for for entry in rank_waits([rank(0, 0.0, 0.01), rank(1, 0.0, 0.02)])} == {"neither"}


def test_a_rank_that_read_nothing_is_not_known_to_be_fast() -> None:
    assert [entry.waits_for for entry in rank_waits([rank(0, 0.01, 0.01), watched(rank=1)])] == ["data", "unknown"]
    assert [entry.waits_for for entry in rank_waits([watched()])] == ["unknown"]


@pytest.mark.filterwarnings("error")
def test_a_rank_that_died_in_its_first_step_has_no_time_of_a_step() -> None:
    died = watched(loader(epoch([0.01], [0.01])), rank=1, world_size=2)
    loaded = died.loaders[0]
    died = replace(died, loaders=(replace(loaded, epochs=(replace(loaded.epochs[0], ended_s=None),)),))
    assert [entry.rank for entry in rank_waits([rank(0, 0.01, 0.01), died])] == [0, 1]


def test_the_first_rank_says_who_waits_and_who_is_missing() -> None:
    ranks = [rank(0, 0.0, 0.02), rank(1, 0.01, 0.01)]
    text = markdown(watch_document(watched(steady(0.0), world_size=3), ranks))
    assert "Rank 1 waits for data; rank 0 waits for the others." in text
    assert "1 rank had not ended" in text


def test_what_is_said_in_detail_is_of_the_rank_that_waits_for_data() -> None:
    failed = replace(rank(0, 0.0, 0.02), ending="failed", why="ValueError: bad")
    document = watch_document(failed, [failed, rank(1, 0.01, 0.01)])
    text = markdown(document)
    assert "All else that stands here is of rank 1." in text
    assert "Loading is the bottleneck" in text
    assert "rank 1 of 2: 100 steps" in document.about[1]
    assert document.notices[0].startswith("Rank 0: The script was ended by an error: ValueError: bad.")

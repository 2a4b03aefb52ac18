"""Ranks of one launch agree through a store: numbers, cases, who cannot collect, and the exit code."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from torch import distributed

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.requests import Endpoint
from loaderbench.benches.harness.session.rank_member import RankMember


@pytest.fixture
def members() -> list[RankMember]:
    """Two ranks with one store."""
    store = distributed.HashStore()
    places = [RankPlace(rank=rank, world_size=2, local_rank=rank, local_world_size=2, host="host") for rank in (0, 1)]
    endpoint = Endpoint(host="host", port=1, prefix="loaderbench")
    return [RankMember(place=place, launcher="torchrun", endpoint=endpoint, store=store) for place in places]


def test_a_place_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"RANK": "3", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "none"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RefusedError):
        RankMember.of_launcher()


def test_rank_0_decides_a_number(members: list[RankMember]) -> None:
    assert [member.agree("samples", value) for member, value in zip(members, (512, 256), strict=True)] == [512, 512]
    assert [member.agree("samples", value) for member, value in zip(members, (64, 32), strict=True)] == [64, 64]


def test_rank_0_decides_the_order_of_the_cases(members: list[RankMember]) -> None:
    first, second = members
    assert first.introduce([{"name": "b"}, {"name": "a"}]) == ["b", "a"]
    assert second.introduce([{"name": name} for name in "abc"]) == ["b", "a"]


def test_a_rank_that_lacks_a_case_is_named(members: list[RankMember]) -> None:
    first, second = members
    first.introduce([{"name": "a"}])
    with pytest.raises(RefusedError, match="rank 1 on host: it has no case a"):
        second.introduce([])


def test_every_rank_exits_with_the_worst_code(members: list[RankMember]) -> None:
    with ThreadPoolExecutor() as threads:
        assert list(threads.map(RankMember.worst, members, (0, 1))) == [1, 1]


def test_a_rank_that_cannot_collect_stops_all_and_is_named_on_rank_0(members: list[RankMember]) -> None:
    config: Any = None
    first, second = members
    second.fault = "ModuleNotFoundError: No module named 'my'"
    second.tell()
    with pytest.raises(pytest.UsageError, match="rank 1 on host: ModuleNotFoundError: No module named 'my'"):
        first.pytest_collection_modifyitems(config, [])
    with pytest.raises(pytest.exit.Exception):
        second.pytest_collection_modifyitems(config, [])

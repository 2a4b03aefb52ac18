"""Ranks by Ray, without Ray: what is refused before a case, in one line."""

import socket
from importlib.util import find_spec

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.ranks import ray_ranks


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray, as far as anyone asks: nothing here gets as far as to import it."""
    monkeypatch.setattr(ray_ranks, "find_spec", lambda name: find_spec("json") if name == "ray" else None)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_ranks, "find_spec", lambda _: None)
    with pytest.raises(RefusedError, match=r"--launcher ray needs Ray: pip install 'loaderbench\[ray\]'"):
        ray_ranks.cluster_nodes("never:asked")


@pytest.mark.usefixtures("installed")
def test_a_cluster_that_nobody_serves_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RefusedError, match=rf"RAY_ADDRESS={address}: no cluster of Ray answers there"):
            ray_ranks.cluster_nodes(address)


@pytest.mark.usefixtures("installed")
def test_a_client_of_ray_is_told_where_to_run() -> None:
    with pytest.raises(RefusedError, match="RAY_ADDRESS=ray://head:10001: run pytest on a node of the cluster"):
        ray_ranks.cluster_nodes("ray://head:10001")

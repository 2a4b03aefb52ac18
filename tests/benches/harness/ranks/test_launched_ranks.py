"""The store of a launch, where it cannot be had: each fault is one line, within its timeout."""

import os
import socket
from collections.abc import Iterator

import pytest

from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.ranks.launched_ranks import shared_store
from loaderbench.benches.harness.ranks.rank_place import RankPlace, store_address
from loaderbench.benches.harness.ranks.requests import Endpoint

HOST = "127.0.0.1"
FIRST, SECOND = (RankPlace(rank=rank, world_size=2, local_rank=rank, local_world_size=2, host="vm") for rank in (0, 1))
REMEDY = "set MASTER_ADDR to the host of rank 0, and MASTER_PORT to a port that is free there"


@pytest.fixture
def other() -> Iterator[int]:
    """The port of another program, which listens and says nothing."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port at which no one listens."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        yield unused.getsockname()[1]


@pytest.mark.usefixtures("outside_torchrun")
def test_a_port_in_use_is_named_with_what_to_set(other: int) -> None:
    with pytest.raises(ValueError, match=rf"^rank 0 on vm: the store at {HOST}:{other} cannot be opened .*; {REMEDY}$"):
        shared_store(FIRST, HOST, other, timeout_s=0.3)


@pytest.mark.usefixtures("outside_torchrun")
def test_a_store_that_cannot_be_reached_is_named_with_what_to_set(nobody: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^rank 1 on vm: the store at {HOST}:{nobody} cannot be reached .*; {REMEDY}$"
    ):
        shared_store(SECOND, HOST, nobody, timeout_s=0.3)


@pytest.mark.usefixtures("outside_torchrun")
def test_a_program_that_is_no_store_ends_within_the_timeout(other: int) -> None:
    with pytest.raises(ValueError, match=rf"^rank 1 on vm: the store at {HOST}:{other} cannot be reached "):
        shared_store(SECOND, HOST, other, timeout_s=0.3)


def test_a_rank_that_lost_the_store_of_its_case_says_where_it_was(nobody: int) -> None:
    with pytest.raises(CaseFailedError, match=f"^the store at {HOST}:{nobody} cannot be reached: "):
        Endpoint(host=HOST, port=nobody).connect(timeout_s=0.3)


@pytest.mark.usefixtures("outside_torchrun")
def test_two_launches_on_one_host_have_stores_of_their_own() -> None:
    jobs = (str(2 * os.getpid()), str(2 * os.getpid() + 1))  # ports of this run of the tests alone
    addresses = [store_address(FIRST, {"SLURM_JOB_ID": job, "SLURM_STEP_ID": "0"}) for job in jobs]
    stores = [shared_store(FIRST, *address, timeout_s=1.0) for address in addresses]
    stores[0].set("plan", "of the first")
    assert addresses[0] != addresses[1]
    assert not stores[1].check(["plan"])


@pytest.fixture
def outside_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)

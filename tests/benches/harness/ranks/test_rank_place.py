"""Which rank a process is, from what its launcher says; and where the ranks' store is."""

import pytest

from loaderbench.benches.harness.ranks.rank_place import RankPlace, store_address

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
SRUN = {
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "1",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_JOB_ID": "11",
    "SLURM_STEP_ID": "0",
}
MPIRUN = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}


@pytest.mark.parametrize(
    ("environment", "expected"), [(TORCHRUN, (3, 4, 1, 2)), (SRUN, (2, 3, 0, 1)), (MPIRUN, (1, 2, 1, 2))]
)
def test_each_launcher_says_which_rank_this_is(environment: dict[str, str], expected: tuple[int, ...]) -> None:
    place = RankPlace.of_launcher(environment)
    assert place is not None
    assert (place.rank, place.world_size, place.local_rank, place.local_world_size) == expected


@pytest.mark.parametrize(
    "environment", [{}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, TORCHRUN | {"WORLD_SIZE": "1"}]
)
def test_a_process_that_was_started_alone_is_no_rank(environment: dict[str, str]) -> None:
    assert RankPlace.of_launcher(environment) is None


def test_the_store_is_where_the_environment_says() -> None:
    place = RankPlace.of_launcher(TORCHRUN)
    assert place is not None
    assert store_address(place, {"MASTER_ADDR": "gpu1", "MASTER_PORT": "29500"}) == ("gpu1", 29500)


def test_without_a_word_it_is_on_slurm_s_first_host_and_each_launch_has_a_port_of_its_own() -> None:
    place = RankPlace.of_launcher(SRUN)
    assert place is not None
    host, port = store_address(place, SRUN)
    assert host == "gpu07"
    assert port != store_address(place, SRUN | {"SLURM_JOB_ID": "12"})[1]


def test_on_one_host_it_is_there() -> None:
    place = RankPlace.of_launcher(MPIRUN)
    assert place is not None
    assert store_address(place, MPIRUN)[0] == "127.0.0.1"


def test_several_hosts_without_a_word_are_refused() -> None:
    place = RankPlace.of_launcher(MPIRUN | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "0"})
    assert place is not None
    with pytest.raises(ValueError, match="set MASTER_ADDR to the host of rank 0, and MASTER_PORT"):
        store_address(place, {})

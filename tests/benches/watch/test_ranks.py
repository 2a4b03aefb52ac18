"""Which of several processes this is, and what the others have left."""

import sys
from pathlib import Path

import msgspec
import pytest
from made_up_watches import steady, watched

from loaderbench.benches.cli import main as cli
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.watch.ranks import all_ranks, rank_and_size

SRUN = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_LOCALID": "2", "SLURM_NODEID": "0"}


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"},
        {"RANK": "2", "WORLD_SIZE": "4"},
        {"SLURM_PROCID": "2", **SRUN},
        {"PMI_RANK": "2", "PMI_SIZE": "4"},
    ],
    ids=["torchrun, accelerate launch", "DeepSpeed", "srun", "MPICH"],
)
def test_a_rank_is_known_by_its_launcher(environment: dict[str, str]) -> None:
    assert rank_and_size(environment) == (2, 4)


def test_a_batch_script_of_slurm_is_one_process() -> None:
    assert rank_and_size({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) == (0, 1)


def test_a_launchers_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(RefusedError, match="rank must be in 0..world_size-1, got 9 of 4"):
        rank_and_size({"RANK": "9", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"})


def test_the_records_of_the_ranks_that_have_ended_are_read(tmp_path: Path) -> None:
    for rank, ending in enumerate(("finished", "failed", "running")):
        (tmp_path / f"rank-{rank}").mkdir()
        record = watched(steady(0.4), rank=rank, world_size=4, ending=ending)
        (tmp_path / f"rank-{rank}" / "watch.json").write_bytes(msgspec.json.encode(record))
    assert [record.rank for record in all_ranks(tmp_path, 4, within_s=0.0)] == [0, 1]


def test_several_ranks_must_be_told_where_their_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setattr(sys, "argv", ["loaderbench"])
    (tmp_path / "train.py").write_text("")
    assert cli.main(["watch", str(tmp_path / "train.py")]) == 2
    assert capsys.readouterr().err == "loaderbench: rank 1 of 4: give --out DIR, in which each rank has a folder\n"

"""Which of several processes this is, and what the others have left."""

import sys
from pathlib import Path

import msgspec
import pytest
from made_up_watches import steady, watched

from loaderbench.benches.cli import main as cli
from loaderbench.benches.watch.ranks import RUNNING, all_ranks, rank_and_size


@pytest.mark.parametrize("names", [("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")])
def test_a_rank_is_known_by_its_launcher(names: tuple[str, str]) -> None:
    assert rank_and_size({names[0]: "2", names[1]: "4"}) == (2, 4)


def test_the_records_of_the_ranks_that_have_ended_are_read(tmp_path: Path) -> None:
    for rank, why in enumerate(("", "", RUNNING)):
        (tmp_path / f"rank-{rank}").mkdir()
        record = watched(steady(0.4), rank=rank, world_size=4, why=why)
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

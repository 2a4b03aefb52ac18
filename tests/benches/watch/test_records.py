"""What a watch leaves is read by the other commands: report, of one process and of ranks, history and compare."""

from pathlib import Path

import pytest
from made_up_watches import steady, watched

from loaderbench.benches.cli import main as cli
from loaderbench.benches.watch.results import files_of
from loaderbench.benches.watch.session import write
from loaderbench.reports.watch.watch_record import WatchedLoader


def saved(folder: Path, loader: WatchedLoader, rank: int = 0, world_size: int = 1) -> Path:
    write(files_of(watched(loader, rank=rank, world_size=world_size)), folder)
    return folder


@pytest.fixture
def ranks(tmp_path: Path) -> Path:
    for rank, share in enumerate((0.0, 0.5)):
        saved(tmp_path / "ranks" / f"rank-{rank}", steady(share, step_s=0.01 * (2 - rank)), rank, 2)
    return tmp_path / "ranks"


def test_the_report_of_a_watched_script_says_what_the_watch_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved(tmp_path / "one", steady(0.4))
    assert cli.main(["report", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "Loading is the bottleneck: the loop over train.py:31 waits" in printed
    assert printed.splitlines()[-1] == str(folder / "watch.html")


def test_the_report_of_a_folder_of_ranks_says_who_waits_for_whom(
    ranks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(ranks)]) == 0
    assert "Rank 1 waits for data; rank 0 waits for the others." in capsys.readouterr().out
    assert (ranks / "watch.html").exists()


def test_a_rank_whose_record_cannot_be_read_is_refused_in_a_line(
    ranks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ranks / "rank-1" / "watch.json").write_text("{}")
    assert cli.main(["report", str(ranks)]) == 2
    assert capsys.readouterr().err.startswith("loaderbench: ")


def test_two_sets_of_watches_are_compared_by_the_throughput_of_their_loops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = [str(saved(tmp_path / f"base{n}", steady(0.4, step_s=0.01 + 1e-4 * n))) for n in range(5)]
    head = [str(saved(tmp_path / f"head{n}", steady(0.4, step_s=0.02 + 1e-4 * n))) for n in range(5)]
    code = cli.main(["compare", *base, "--head", *head, "--out", str(tmp_path / "out")])
    assert code == 1
    assert "regressed" in capsys.readouterr().out


def test_a_watch_is_kept_in_a_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, database = saved(tmp_path / "one", steady(0.4)), tmp_path / "history.db"
    assert cli.main(["history", "add", str(folder), "--db", str(database)]) == 0
    assert cli.main(["history", "list", "--db", str(database)]) == 0
    assert "1 run added" in capsys.readouterr().out

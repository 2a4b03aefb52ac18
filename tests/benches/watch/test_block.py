"""A watch as a block, and iterables that are no DataLoader."""

import re
from pathlib import Path

import msgspec
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from loaderbench.benches.watch import watch
from loaderbench.reports.records.files import read_run
from loaderbench.reports.watch.watch_record import Watched

NO_LOADER = "it made no DataLoader (processes that it starts itself are not watched)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_block_leaves_a_report_and_records_that_are_read_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with watch(out=folder):
        for _ in DataLoader(TensorDataset(torch.arange(80)), batch_size=4):
            pass
    assert {path.name for path in folder.iterdir()} == {"watch.json", "watch.html", "watch.md", "run.json", "figures"}
    (loader,) = Watched.read(folder).loaders
    assert (loader.dataset, loader.steps) == ("torch.utils.data.dataset:TensorDataset", 20)
    run = read_run(folder)
    assert (run.faults, len(run.cases), run.cases[0].bench) == ([], 1, "watch")
    assert "test_block.py" in capsys.readouterr().out


def test_what_the_block_raises_goes_on_and_is_said(folder: Path) -> None:
    def fails() -> None:
        for _ in DataLoader(TensorDataset(torch.arange(8)), batch_size=4):
            raise ZeroDivisionError("in a step")

    with pytest.raises(ZeroDivisionError), watch(out=folder):
        fails()
    watched = Watched.read(folder)
    assert watched.ending == "failed"
    assert re.fullmatch(r"ZeroDivisionError: in a step \(\S*test_block.py:\d+\)", watched.why)


def test_a_block_without_a_loader_says_so_and_leaves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watch(out=folder):
        pass
    assert capsys.readouterr().out == f"loaderbench: with watch(): {NO_LOADER}; nothing to report\n"
    assert not folder.exists()


def test_any_iterable_is_watched_by_its_name(folder: Path) -> None:
    with watch(out=folder):
        batches = watch.iterable([1, 2, 3], "lists")
        assert (list(batches), len(batches)) == ([1, 2, 3], 3)  # type: ignore[arg-type]
        assert batches.index(2) == 1  # type: ignore[attr-defined]
        assert watch.iterable(iter([1]), "without a length")
        assert not watch.iterable([], "empty")
    (loader,) = Watched.read(folder).loaders
    assert (loader.name, loader.kind, loader.steps) == ("lists", "iterable", 3)


def test_where_nothing_is_watched_an_iterable_stays_itself() -> None:
    batches = [1, 2]
    assert watch.iterable(batches, "lists") is batches


def test_a_record_of_another_schema_is_refused(folder: Path) -> None:
    from loaderbench.reports.records.json_files import MalformedError  # noqa: PLC0415

    folder.mkdir()
    (folder / "watch.json").write_bytes(msgspec.json.encode({"schema": 99}))
    with pytest.raises(MalformedError, match="schema 99"):
        Watched.read(folder)

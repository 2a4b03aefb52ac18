"""``loaderbench watch``: a script runs as Python runs it, and what was seen of its loaders is reported."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from preloaded import ENDS_WITHIN_S, LOADERBENCH, Running, environment

from loaderbench.benches.cli import main as cli
from loaderbench.reports.watch.watch_record import Watched

SCRIPT = """
import atexit, os, sys
print("torch" in sys.modules)
import torch
from torch.utils.data import DataLoader, Dataset

class Train(Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, index):
        if index == 40 and "sample" in sys.argv:
            raise ValueError("a bad sample")
        return torch.full((4,), float(index))

def main():
    how = sys.argv[1]
    torch.manual_seed(0)
    print(__name__, sys.argv, sys.path[0], __file__, sys.modules["__main__"].Train is Train)
    atexit.register(lambda: print("at exit", sys.modules["__main__"].Train))
    loader = DataLoader(Train(), batch_size=4, num_workers=int(sys.argv[2]), shuffle=True)
    for epoch in range(2):
        for step, batch in enumerate(loader):
            if epoch == 1 and step == 5:
                if how == "leave":
                    sys.stdout.flush()
                    os._exit(9)
        print(float(batch.sum()))
    print(torch.rand(2).tolist())

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("script")
    (folder / "pack").mkdir()
    for path in (folder / "train.py", folder / "pack" / "train.py"):
        path.write_text(SCRIPT)
    return folder


def ran(place: Path, *words: str) -> tuple[str, str, int]:
    """Run a Python of its own: its output, its errors, its exit code."""
    ended = subprocess.run(
        [sys.executable, *words], cwd=place, capture_output=True, text=True, check=False, timeout=ENDS_WITHIN_S
    )
    return ended.stdout, ended.stderr, ended.returncode


def forked(place: Path, *words: str) -> tuple[str, str, int]:
    """The same, of a program that finds torch imported."""
    with Running([sys.executable, *words], cwd=place, env=environment()) as program:
        code = program.wait()
        return program.out, program.err, code


MAIN = ("-c", "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))", "watch")


@pytest.mark.parametrize(
    ("run", "program", "how", "ending"),
    [(ran, ["train.py"], ["sample", "1"], "failed"), (forked, ["-m", "pack.train"], ["leave", "0"], "stopped")],
    ids=["a script that fails", "a module that leaves"],
)
def test_a_script_or_module_prints_raises_and_ends_as_without_a_watch(
    run: Callable[..., tuple[str, str, int]], place: Path, program: list[str], how: list[str], ending: str
) -> None:
    out = place / how[0]
    printed, errors, code = forked(place, *program, *how)
    watched = run(place, *MAIN, "--out", str(out), *program, *how)
    has_torch, _, rest = watched[0].partition("\n")
    assert has_torch == str(run is forked)  # a watch leaves it to the script to import torch, and to set what it reads
    assert rest == printed.partition("\n")[2]
    assert watched[1].startswith(errors)
    assert watched[2] == code
    record = Watched.read(out)
    assert (record.ending, len(record.loaders)) == (ending, 1)
    assert record.loaders[0].dataset == f"{program[-1].removesuffix('.py')}:Train"
    assert not (out / ".workers").exists()


def test_after_the_steps_that_were_asked_for_the_script_ends_and_is_reported(place: Path) -> None:
    command = [*LOADERBENCH, "watch", "--steps", "6", "--out", str(place / "steps"), "train.py", "finish", "0"]
    with Running(command, cwd=place, env=environment()) as watched:
        assert watched.wait() == 0
        assert "at exit" in watched.out
    record = Watched.read(place / "steps")
    assert (record.ending, record.loaders[0].steps) == ("stopped", 6)
    run = json.loads((place / "steps" / "run.json").read_text())
    assert len(run["benchmarks"]) == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere.py"], "nowhere.py: no such script; give a file, or -m and a module"),
        (["-m", "nowhere.train"], "-m nowhere.train: "),
        ([], "name a script, or -m and a module: loaderbench watch --steps 200 train.py --epochs 1"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    words: list[str], line: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["loaderbench"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert cli.main(["watch", *words]) == 2
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"loaderbench: {line}")
    assert not list(place.glob("runs/*"))


def test_what_follows_the_script_is_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    import argparse  # noqa: PLC0415

    from loaderbench.benches.cli import watch  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    watch.add_arguments(parser)
    options: Callable[[list[str]], Any] = parser.parse_args
    assert options(["--steps", "5", "train.py", "--steps", "9", "-m", "x"]).script == [
        "train.py",
        "--steps",
        "9",
        "-m",
        "x",
    ]
    assert options(["-m", "pack.train", "--out", "y"]).module == ["pack.train", "--out", "y"]

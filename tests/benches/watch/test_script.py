"""A script runs as Python runs it: its arguments, its path, its errors, its exit code."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loaderbench.benches.watch.observing.recorder import EnoughError
from loaderbench.benches.watch.script import Ending, described, run_module, run_script

Run = Callable[..., Ending]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ours"])
    monkeypatch.setattr(sys, "path", ["ours", *sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def running(source: str, *arguments: str) -> Ending:
        (tmp_path / "train.py").write_text(source)
        return run_script("train.py", arguments)

    return running


def test_a_script_has_its_own_arguments_path_and_main_module(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    source = (
        "import sys\nclass A: pass\nprint(sys.argv, sys.path[0], __file__, __name__, sys.modules['__main__'].A is A)"
    )
    folder = Path.cwd()
    assert run(source, "--lr", "3") == Ending(code=0, how="finished")
    assert capsys.readouterr().out == (f"['train.py', '--lr', '3'] {folder} {folder}/train.py __main__ True\n")


def test_its_annotations_are_its_own(run: Run) -> None:
    assert run("def f(a: int): pass\nassert f.__annotations__ == {'a': int}").code == 0


@pytest.mark.parametrize(
    ("source", "ending", "printed"),
    [
        ("raise SystemExit", Ending(code=0, how="finished"), ""),
        ("import sys; sys.exit(7)", Ending(code=7, how="failed", why="sys.exit(7)"), ""),
        ("import sys; sys.exit('sorry')", Ending(code=1, how="failed", why="sys.exit('sorry')"), "sorry\n"),
    ],
)
def test_its_exit_code_is_kept(
    run: Run, capsys: pytest.CaptureFixture[str], source: str, ending: Ending, printed: str
) -> None:
    assert run(source) == ending
    assert capsys.readouterr().err == printed


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        ("ValueError('of mine')", Ending(code=1, how="failed", why="ValueError: of mine (train.py:2)")),
        ("KeyboardInterrupt", Ending(code=130, how="interrupted")),
    ],
)
def test_its_traceback_begins_with_its_own_frame(
    run: Run, capsys: pytest.CaptureFixture[str], error: str, ending: Ending
) -> None:
    assert run(f"def f():\n    raise {error}\nf()") == ending
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", f'  File "{Path.cwd()}/train.py", line 3, in <module>']
    assert not [line for line in lines if "benches/watch/script.py" in line]


def test_what_a_worker_raised_is_one_line_with_the_users_own() -> None:
    sent = (
        "Caught ValueError in DataLoader worker process 1.\nOriginal Traceback (most recent call last):\n"
        '  File "/usr/lib/site-packages/torch/utils/data/_utils/worker.py", line 358, in _worker_loop\n'
        '    data = fetcher.fetch(index)\n  File "/home/me/train.py", line 12, in __getitem__\n'
        "    raise ValueError(index)\nValueError: no such\nsample\n"
    )
    assert described(ValueError(sent)) == "ValueError: no such sample (in worker 1, /home/me/train.py:12)"


def test_its_own_excepthook_is_called(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.excepthook
    try:
        assert run("import sys\nsys.excepthook = lambda *a: print('mine', a[0].__name__)\n1 / 0").code == 1
    finally:
        sys.excepthook = before
    assert capsys.readouterr().out == "mine ZeroDivisionError\n"


def test_a_script_that_cannot_be_compiled_fails_as_one(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("def (").code == 1
    assert "SyntaxError" in capsys.readouterr().err


def test_enough_is_no_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "enough", type(sys)("enough"))
    sys.modules["enough"].error = EnoughError  # type: ignore[attr-defined]
    assert run("import enough\nraise enough.error") == Ending(code=0, how="stopped")


def test_a_module_is_found_from_the_working_directory(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (Path.cwd() / "of_mine").mkdir()
    (Path.cwd() / "of_mine" / "train.py").write_text("import sys\nprint(__name__, __package__, sys.argv[1:])")
    assert run_module("of_mine.train", ["-v"]).code == 0
    assert capsys.readouterr().out == "__main__ of_mine ['-v']\n"

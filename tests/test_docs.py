"""What the documents say to type works as it is written, on the record that ``make bench`` leaves."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from glob import glob
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from preloaded import LOADERBENCH

from loaderbench.benches.harness.system.devices import available
from loaderbench.reports.vocabulary import swept

CLONE = Path(__file__).parents[1]
DOCUMENTS = [CLONE / "README.md", CLONE / "CONTRIBUTING.md", *sorted((CLONE / "docs").glob("*.md"))]
BENCHES = sorted((CLONE / "benches").glob("bench_*.py"))
USER = {
    "data.py": """
        class Train:
            def __init__(self, root="."):
                self.root = root
            def __len__(self):
                return 256
            def __getitem__(self, index):
                return torch.full((4,), float(index)), index % 2
        def collate(samples):
            return default_collate(samples)
        def init(worker_id):
            pass
        def sampler(dataset):
            return range(len(dataset))
        def batches(dataset):
            return [list(range(start, start + 8)) for start in range(0, len(dataset), 8)]
        def make_loader():
            return torch.utils.data.DataLoader(Train(), batch_size=16, shuffle=True)
    """,
    "train.py": """
        def step(model, batch, optimizer):
            torch.nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
            optimizer.step()
            optimizer.zero_grad()
    """,
    "model.py": """
        class Net(torch.nn.Linear):
            def __init__(self):
                super().__init__(4, 2)
    """,
}
# What makes a command short; everything else is as written.
SHORT: dict[str, list[str]] = {
    "check": ["--start-method", "fork"],
    "explain": ["--budget", "1s", "--samples", "32", "--num-workers", "1", "--batch-size", "8"],
    "whatif": ["--budget", "1s"],
    "watch": [],
    "tune": [
        "--budget",
        "90s",
        "--max-workers",
        "1",
        "--batch-size",
        "32",
        "--fix",
        "prefetch_factor=2",
        "--fix",
        "persistent_workers=on",
        "--fix",
        "collate_fn=own",
        "--fix",
        "one_thread=off",
        "--fix",
        "keep_memory=off",
    ],
    "gate": ["--budget", "1s", "--rounds", "1", "--round-time", "0", "--num-workers", "0", "--batch-size", "32"],
}
TOO_SHORT = {
    "gate": "the budget of 1\u202fs is too short for one block",
    "whatif": "of it were left to measure",
}
SCRIPT = """
    import torch
    from my.data import Train, collate
    for batch in torch.utils.data.DataLoader(Train(), batch_size=16, collate_fn=collate):
        pass
"""
RUNS = ("20261125-040000-abcd1234", *(f"{side}-{number}" for side in ("old", "new") for number in range(1, 5)))


def typed(documents: list[Path], pattern: str) -> list[str]:
    """The lines of `documents` that begin as `pattern` does, each once, without the remark at their end."""
    lines = [line.strip() for document in documents for line in document.read_text().splitlines()]
    return list(dict.fromkeys(re.sub(r"\s+#.*", "", line) for line in lines if re.match(pattern, line)))


@pytest.fixture(scope="module")
def project(places: Callable[[str], Any]) -> Any:
    """A user's repository with a dataset, a model, and runs in ``runs/``: one of the default cases, and eight more."""
    place = places("documented")
    (place.folder / "my").mkdir()
    for name, code in USER.items():
        source = f"import torch\nfrom torch.utils.data import default_collate\n{dedent(code)}"
        (place.folder / "my" / name).write_text(source)
    (place.folder / "train.py").write_text(dedent(SCRIPT))
    for arguments in (["init", "-q", "-b", "main"], ["add", "my"], ["commit", "-q", "-m", "a dataset"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], cwd=place.folder, check=True)
    subprocess.run(["git", "update-ref", "refs/remotes/origin/main", "HEAD"], cwd=place.folder, check=True)
    brief = ("-k", "bench_epoch and images", "--rounds", "2", "--round-time", "0")
    place.run("--dataset", "images", *brief, into=f"runs/{RUNS[0]}")
    record = (place.folder / "runs" / RUNS[0] / "run.json").read_text()
    identity = re.search(r'"run":"([^"]+)"', record)
    assert identity is not None
    for name in RUNS[1:]:
        (place.folder / "runs" / name).mkdir()
        (place.folder / "runs" / name / "run.json").write_text(record.replace(identity[1], name))
    (place.folder / ".venv-old" / "bin").mkdir(parents=True)
    older = place.folder / ".venv-old" / "bin" / "python"
    older.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    older.chmod(0o755)
    return place


RUN = r"(pytest (-p \S+ )?(benches|bench_sorted)|loaderbench run) ?"
OTHERS = r"loaderbench (check|explain|whatif|tune|report|compare|history|gate|watch) "


@pytest.mark.parametrize("command", typed([*DOCUMENTS, *BENCHES], RUN))
def test_a_documented_run_selects_cases(
    command: str, project: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = shlex.split(command)
    if any("cuda" in argument for argument in arguments) and len(available()) == 1:
        pytest.skip("needs CUDA: a device that is not there is refused before anything is collected")
    if "ray" in arguments and find_spec("ray") is None:
        pytest.skip("needs Ray: pip install 'loaderbench[ray]'")
    arguments = [word for word in arguments if word not in ("-p", "loaderbench.benches.harness.plugin")]
    if "--budget" in arguments:  # of `loaderbench run`; what it selects is tested with it
        place = arguments.index("--budget")
        del arguments[place : place + 2]
    asked = arguments if program == "pytest" else ["--pyargs", "loaderbench.benches", *arguments[1:]]
    is_mine = "bench_sorted.py" in arguments
    monkeypatch.chdir(project.folder if is_mine or program != "pytest" else CLONE)
    monkeypatch.syspath_prepend(project.folder)
    if is_mine:
        (project.folder / "bench_sorted.py").write_text(example(CLONE / "docs" / "own-benches.md"))
    plugin = ("-p", "loaderbench.benches.harness.plugin", "-p", "no:hypothesispytest")  # it is imported anew
    quiet = ("--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", str(project.folder), "-c", os.devnull)
    code = pytest.main([*plugin, *quiet, "--import-mode=importlib", *asked])
    sys.modules.pop("bench_sorted", None)  # another test imports one of that name from elsewhere
    assert code == pytest.ExitCode.OK
    assert "bench_" in capsys.readouterr().out


def example(document: Path) -> str:
    """The first block of Python in a document."""
    result = re.search(r"```python\n(.*?)```", document.read_text(), flags=re.DOTALL)
    assert result is not None
    return result[1]


def shortened(command: str) -> list[str]:
    """A documented command with what makes it short."""
    words = shlex.split(command)
    return [*words, *SHORT.get(words[1], [])]


def expanded(word: str, folder: Path) -> list[str]:
    """What a shell in `folder` makes of a word."""
    return sorted(glob(word, root_dir=folder)) or [word]


# Of these one is run; the others differ in options alone, which are parsed.
MEASURING = [
    line
    for name in ("check", "explain", "whatif", "tune", "gate", "calibrate", "watch")
    for line in typed(DOCUMENTS, f"loaderbench {name} ")
]
MEASURED = {typed(DOCUMENTS, f"loaderbench {name} ")[0] for name in SHORT}
PARSED = [line for line in MEASURING if line not in MEASURED]


@pytest.mark.parametrize("command", [line for line in typed(DOCUMENTS, OTHERS) if line not in PARSED])
def test_a_documented_command_works_as_written(command: str, project: Any) -> None:
    if "postgresql" in command:
        pytest.skip("needs the user's own PostgreSQL server")
    if "…" in command or "-explain" in command or "--whatif" in command:
        pytest.skip("names what an earlier command wrote; tests of that command read it back")
    name, *words = shortened(command)[1:]
    ended = project.call([*LOADERBENCH, name, *(path for word in words for path in expanded(word, project.folder))])
    printed = ended.out + ended.err
    if name in TOO_SHORT:  # it came to measuring; tests of the command itself go on to the answer's files
        assert TOO_SHORT[name] in printed
    else:
        assert ended.ret == 0, printed


@pytest.mark.parametrize("command", PARSED)
def test_a_documented_command_names_options_that_exist(command: str) -> None:
    name, *words = shlex.split(command)[1:]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    module = import_module(f"loaderbench.benches.cli.{name}")
    module.add_arguments(parser)
    _, unknown = parser.parse_known_args(words)
    benches = {*swept(), "k"} if name == "gate" else set()  # the others are the benches' own
    assert [word for word in unknown if word.startswith("-") and word.strip("-").replace("-", "_") not in benches] == []


def test_the_readme_names_every_bench() -> None:
    readme = (CLONE / "README.md").read_text()
    assert [bench.stem for bench in BENCHES if f"`{bench.stem}`" not in readme] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_documents_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_ci_runs_what_the_readme_says_to_type() -> None:
    targets = re.findall(r"^make ([\w-]+)", (CLONE / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert {"bench", "test", "check"} <= set(targets)

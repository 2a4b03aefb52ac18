"""What the documents say to type can be typed."""

import os
import re
import shlex
from pathlib import Path
from textwrap import dedent

import pytest
import torch

CLONE = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/method.md", "docs/explain.md", *sorted(
    str(bench.relative_to(CLONE)) for bench in (CLONE / "benches").glob("bench_*.py")
)]  # fmt: skip
USER = {
    "data.py": """
        class Train:
            def __init__(self, root="."):
                self.root = root
            def __len__(self):
                return 64
            def __getitem__(self, index):
                return torch.full((4,), float(index)), index % 2
        def collate(samples):
            return default_collate(samples)
    """,
    "model.py": """
        class Net(torch.nn.Linear):
            def __init__(self):
                super().__init__(4, 2)
    """,
}


def commands() -> list[str]:
    lines = [line.strip() for name in DOCUMENTS for line in (CLONE / name).read_text().splitlines()]
    return list(dict.fromkeys(line for line in lines if re.match(r"(pytest benches|loaderbench run) ?", line)))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "my").mkdir()
    for name, code in USER.items():
        (folder / "my" / name).write_text(f"import torch\nfrom torch.utils.data import default_collate\n{dedent(code)}")
    return folder


@pytest.mark.parametrize("command", commands())
def test_a_documented_command_selects_cases(
    command: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = shlex.split(command)
    if "cuda" in arguments and not torch.cuda.is_available():
        pytest.skip("needs CUDA: a device that is not there is refused before anything is collected")
    plugin = ("-p", "loaderbench.benches.harness.plugin", "-p", "no:hypothesispytest")  # it is imported anew
    doors = {"pytest": ("--import-mode=importlib",), "loaderbench": ("--pyargs", "loaderbench.benches")}
    asked = arguments if program == "pytest" else arguments[1:]
    monkeypatch.chdir(CLONE if program == "pytest" else project)
    monkeypatch.syspath_prepend(project)
    quiet = ("--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", str(project), "-c", os.devnull)
    assert pytest.main([*plugin, *quiet, *doors[program], *asked]) == pytest.ExitCode.OK
    assert "bench_" in capsys.readouterr().out


def test_the_readme_names_every_bench() -> None:
    readme = (CLONE / "README.md").read_text()
    missing = [bench.stem for bench in (CLONE / "benches").glob("bench_*.py") if f"`{bench.stem}`" not in readme]
    assert missing == []


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "docs/method.md", "docs/explain.md", "docs/calibration.md"]
)
def test_a_documents_links_lead_somewhere(name: str) -> None:
    document = CLONE / name
    links = re.findall(r"\]\((?!http)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_ci_runs_what_the_readme_says_to_type() -> None:
    targets = re.findall(r"^make (\w+)", (CLONE / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert {"bench", "test", "check"} <= set(targets)

"""Installed: a directory called datasets that shadows no one, and a wheel that holds every package."""

import io
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from preloaded import ENDS_WITHIN_S
from torch.utils.data import DataLoader

CLONE = Path(__file__).parents[1]
TOP = ("benches", "datasets", "reports")
SOURCES = sorted(path for name in TOP for path in (CLONE / name).rglob("*.py"))
BRIEF = ("--num-workers", "0", "--batch-size", "8", "--rounds", "1", "--round-time", "0")
ONCE = ("--persistent-workers", "on")  # a worker is started once: one that is spawned imports torch


WITH_INSTALLED = "import sys, pytest; sys.path.append(sys.argv[1]); sys.exit(pytest.main(sys.argv[2:]))"
HUGGING_FACE = "def load_dataset():\n    return [float(index) for index in range(20)]\n"
THEIRS = """
import datasets

class Train:
    def __len__(self):
        return 20

    def __getitem__(self, index):
        return datasets.load_dataset()[index]
"""


@pytest.fixture(scope="module")
def beside_hugging_face(places: Callable[[str], Any]) -> Any:
    """The suite run in the clone, which is first on the path, on a Dataset that imports an installed ``datasets``."""
    place = places("theirs").write(theirs=THEIRS)
    (place.folder / "datasets").mkdir()
    (place.folder / "datasets" / "__init__.py").write_text(HUGGING_FACE)
    asked = ("--dataset", "theirs:Train", "--start-method", "fork,forkserver,spawn", "-p", "no:cacheprovider", *ONCE)
    command = [sys.executable, "-c", WITH_INSTALLED, str(place.folder), "benches/bench_epoch.py", *asked, *BRIEF]
    return place.call([*command, "--num-workers", "1", "--run-dir", str(place.folder / "run")], cwd=CLONE)


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_an_installed_datasets_wins_over_our_directory(beside_hugging_face: Any, start_method: str) -> None:
    case = beside_hugging_face.extra(f"bench_epoch[theirs.Train-{start_method}]")
    assert case["rounds"]["samples"] == [20]


def test_nothing_that_a_worker_is_given_lives_in_a_bench(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spawned worker cannot import ``bench_*.py`` or ``conftest.py``: it would not find them."""
    named = pytester.path / "modules"

    class Noted(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            with named.open("a") as file:  # in the process of a case
                file.write(f"{module}\n")
            return super().find_class(module, name)

    def noted(loader: "DataLoader[Any]") -> Any:
        if loader.num_workers:
            given = (loader.dataset, loader.collate_fn, loader.worker_init_fn)
            Noted(io.BytesIO(pickle.dumps(given))).load()
        return iterated(loader)

    iterated = DataLoader.__iter__
    monkeypatch.setattr(DataLoader, "__iter__", noted)
    pytester.makepyfile(plain="train = list(range(40))")
    asked = ("--dataset", "plain:train", "--num-workers", "1", "--start-method", "fork", "--batch-size", "8")
    asked += ("--nproc-per-node", "1")
    result = pytester.runpytest_inprocess(
        *("-p", "loaderbench.benches.harness.plugin", "-p", "no:hypothesispytest", "--benchmark-disable"),
        *(
            "--pyargs",
            "loaderbench.benches",
            "-k",
            "not overhead and not training and not busy and not sleep and not PSS",
            *asked,
        ),
    )
    assert "failed" not in result.parseoutcomes()
    modules = set(named.read_text().splitlines())
    assert "loaderbench.datasets.synthetic.known_cost" in modules
    assert not [name for name in modules if name.rpartition(".")[2].startswith(("bench_", "conftest"))]


MY_DATA = """
from pathlib import Path

import loaderbench.datasets.catalog

class Train:
    def __init__(self):
        Path("imported.txt").write_text(loaderbench.datasets.catalog.__file__)

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return float(range(20)[index])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout, so that nothing is left in it."""
    copy, built = tmp_path_factory.mktemp("clone") / "copy", tmp_path_factory.mktemp("built")
    shutil.copytree(CLONE, copy, ignore=shutil.ignore_patterns(".*", "runs", "build", "dist", "tests", "*.egg-info"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(copy))
    (file,) = built.iterdir()
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, places: Callable[[str], Any]) -> Any:
    """A user's project far from the clone, with the wheel installed in its ``site``."""
    place = places("project")
    pip("install", "--no-deps", "--target", str(place.folder / "site"), str(wheel))
    (place.folder / "my").mkdir()
    (place.folder / "my" / "data.py").write_text(MY_DATA)
    return place


def pip(*arguments: str) -> None:
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir")
    subprocess.run([sys.executable, "-m", "pip", *arguments, *quiet], check=True, timeout=ENDS_WITHIN_S)


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    modules = {f"loaderbench/{path.relative_to(CLONE)}" for path in SOURCES}
    assert {name for name in ZipFile(wheel).namelist() if name.endswith(".py")} == modules


def test_the_wheel_says_that_every_package_is_typed(wheel: Path) -> None:
    packages = {path.relative_to(CLONE).parent for path in SOURCES}
    assert {f"loaderbench/{package}/py.typed" for package in packages} <= set(ZipFile(wheel).namelist())


def test_the_wheel_holds_the_templates(wheel: Path) -> None:
    templates = {f"loaderbench/{path.relative_to(CLONE)}" for path in (CLONE / "reports/render/templates").iterdir()}
    assert templates
    assert templates <= set(ZipFile(wheel).namelist())


def test_the_wheel_alone_measures_the_user_s_own_in_their_project(installed: Any) -> None:
    asked = ("--dataset", "my.data:Train", "-k", "epoch", *BRIEF)
    site = installed.folder / "site"
    ended = installed.call(["site/bin/loaderbench", "run", *asked, "--run-dir", "run"], env={"PYTHONPATH": str(site)})
    assert ended.ret == 0
    assert list(ended.benchmarks) == ["bench_epoch[my.data.Train]"]
    assert Path((installed.folder / "imported.txt").read_text()).is_relative_to(site)

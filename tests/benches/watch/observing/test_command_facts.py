"""How another command names the dataset of a script: by its class, and by the arguments that it keeps."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from loaderbench.benches.watch.observing.command_facts import command_facts, folder_to_import_from, name_of


class Kept:
    """Keeps what it was built with."""

    def __init__(
        self, root: Path, size: int = 100, *, split: str = "train", transform: Any = None, **_: object
    ) -> None:
        self.root, self._size, self.split, self.transform = root, size, split, transform


class Dropped:
    """Keeps nothing."""

    def __init__(self, rows: object, size: int = 3) -> None:
        pass


@pytest.mark.parametrize(
    ("dataset", "arguments"),
    [
        (Kept(Path("/data"), 7, transform=len), ['{"root": "/data", "size": 7}']),
        (Kept(Path("/data"), split="val"), ['{"root": "/data", "split": "val"}']),
        (Dropped([]), ['{"rows": …}']),
    ],
)
def test_what_a_dataset_keeps_of_its_arguments_is_filled_in(dataset: object, arguments: list[str]) -> None:
    facts = command_facts(dataset)
    assert facts["named_by"] == ["--dataset", name_of(type(dataset)), "--dataset-args", *arguments]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in a folder of its own, which is `__main__`, and a class that it has."""
    main, path = ModuleType("__main__"), tmp_path / "scripts" / "train.py"
    path.parent.mkdir()
    path.write_text("if __name__ == '__main__': pass")
    main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.chdir(tmp_path)
    return path


def of_main() -> object:
    return type("Rows", (), {"__module__": "__main__", "__qualname__": "Rows"})()


def test_a_class_of_the_script_is_imported_from_its_folder(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command_facts(of_main()) == {"named_by": ["--dataset", "train:Rows"], "python_path": "scripts"}
    for name in ("data", "pack.data"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules[name].__file__ = str(script.parent / f"{name.replace('.', '/')}.py")
        assert folder_to_import_from(name) == "scripts"
    monkeypatch.chdir(script.parent)
    assert command_facts(of_main()) == {"named_by": ["--dataset", "train:Rows"]}


def test_why_a_class_cannot_be_imported_is_said(script: Path) -> None:
    script.write_text("print('trains')")
    unguarded = "train.py has no `if __name__ == '__main__':`, so that to import Rows from it would run it"
    assert command_facts(of_main()) == {"named_by": [], "not_importable": unguarded}
    del sys.modules["__main__"].__file__
    assert command_facts(of_main())["not_importable"] == "Rows is defined in no file"

    class Local:
        pass

    assert command_facts(Local())["not_importable"] == "Local is defined within a function"
    of_torch = command_facts(TensorDataset(torch.arange(3)))
    assert of_torch["not_importable"] == "TensorDataset is built of what only the script has"

"""What ``loaderbench check`` reads of a loader, of a module and of the machine."""

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from loaderbench.benches.check.imports import import_fault
from loaderbench.benches.check.loader_demand import demand_of, limits
from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.harness.loading.storages import Storages, pickling_fault, tensor_storages, unpickling_fault
from loaderbench.benches.harness.loading.subject import subject_of

ROWS = torch.eye(4).to_sparse_coo().coalesce()


class Unreadable:
    """What cannot be made again from its pickle."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return int, ("no number",)


def test_a_view_counts_with_all_that_it_is_a_view_of() -> None:
    whole = torch.zeros(1000)
    assert tensor_storages({"a": whole[:1], "b": [whole[1:2], "text"]}) == Storages(count=1, bytes=4000)


@pytest.mark.parametrize(
    ("batch", "count", "size"),
    [
        (ROWS, 2, 2 * 4 * 8 + 4 * 4),
        (torch.sparse_csr_tensor(torch.arange(5), torch.arange(4), torch.ones(4)), 3, 5 * 8 + 4 * 8 + 4 * 4),
        (pack_sequence([torch.zeros(3), torch.zeros(2)]), 2, 5 * 4 + 3 * 8),
        (torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)]), 4, 5 * 4 + 2 * 8 + 2 * 8 + 2 * 8),
    ],
    ids=["sparse, by coordinates", "sparse, compressed", "packed sequences", "nested"],
)
def test_the_tensors_that_cross_are_counted(batch: Any, count: int, size: int) -> None:
    assert tensor_storages(batch) == Storages(count=count, bytes=size)
    assert unpickling_fault(batch) is None


def test_what_is_pickled_beside_the_tensors_is_counted() -> None:
    assert tensor_storages([torch.zeros(1000), "x" * 5000]).object_bytes in range(5000, 6000)


class KeepsOpen:
    """A dataset whose samples leave a file open, each one or all together one."""

    def __init__(self, *, one: bool) -> None:
        self.one, self.files = one, list[Any]()

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> int:
        if not (self.one and self.files):
            self.files.append(Path(__file__).open())
        return index


@pytest.mark.parametrize(("one", "open_files"), [(False, 1.0), (True, 0.0)])
def test_files_that_every_sample_leaves_open_are_counted(one: bool, open_files: float) -> None:
    config = loader_config(num_workers=0, collate_fn=torch.utils.data.default_collate, batch_size=4)
    assert demand_of(subject_of(KeepsOpen(one=one)), config).open_files == open_files


def test_a_batch_that_cannot_be_sent_or_received_says_why() -> None:
    assert "cannot pickle '_thread.lock' object" in str(pickling_fault([Lock()]))
    assert pickling_fault([Unreadable()]) is None
    assert "it cannot be unpickled: ValueError: " in str(unpickling_fault([Unreadable()]))


MODULES = {
    "guarded": ("import torch\nif __name__ == '__main__':\n    raise SystemExit", None),
    "trains": (
        "import torch\nfrom torch.utils.data import DataLoader\nfor _ in DataLoader([1]): pass",
        "importing trains reads a DataLoader (trains.py:3): move what a script runs below",
    ),
    "parses": (
        "import argparse\nargparse.ArgumentParser().parse_args(['--fold'])",
        "importing parses ends the worker as it parses the command line (SystemExit: 2): move what",
    ),
    "broken": ("1 // 0", "importing broken raises ZeroDivisionError: integer division or modulo by zero (broken.py:1"),
}


IMPORTED = (
    "import sys; from loaderbench.benches.check.imports import watched_import; print(watched_import(sys.argv[1]))"
)


@pytest.fixture
def modules(tmp_path: Path) -> None:
    for module, (source, _) in MODULES.items():
        (tmp_path / f"{module}.py").write_text(source)


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_does_when_it_is_imported_is_one_line(module: str, modules: None, place: Any) -> None:
    fault = place.call([sys.executable, "-c", IMPORTED, module]).out
    assert fault.startswith(str(MODULES[module][1]))


def test_a_module_is_imported_in_a_spawned_process(
    modules: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert (import_fault("trains") or "").startswith(str(MODULES["trains"][1]))
    assert not MODULES.keys() & sys.modules.keys()


def test_every_limit_of_this_machine_is_a_number() -> None:
    here = limits()
    assert 0 < here.cpus <= here.cpus_affinity
    assert here.descriptors > 0
    assert here.memory_bytes > 0

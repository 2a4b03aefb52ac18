"""Injected regressions: changes of known size in one of two revisions, to see what the gate makes of them."""

import importlib.util
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from timeit import timeit
from types import ModuleType
from typing import TYPE_CHECKING, Any

from loaderbench.benches.gate.revisions import NAMES, Revision

if TYPE_CHECKING:
    from loaderbench.datasets.synthetic.injected import InjectedDataset, Sample

FaultSizes = Mapping[str, float]
Call = Callable[[], object]

FEWEST_RATIOS = 2  # the first is thrown away: it read the files

MODULE = "injected"  # what both revisions call the file
SOURCE = "loaderbench.datasets.synthetic.injected"

_OF_ALL = ("--batch-size", "16", "--start-method", "fork")
EPOCH = (
    "--dataset", "injected:Documents,injected:Images", "--num-workers", "0,2",
    "--collate-fn", "injected:pad,injected:pack", "-k", "bench_epoch", *_OF_ALL,
)  # fmt: skip
OTHER = (
    "--dataset", "injected:Documents,injected:Images", "--num-workers", "2", "--collate-fn", "injected:pad",
    "--persistent-workers", "off", "--model", "injected:Net",
    "-k", "(bench_startup and not payload) or bench_memory or bench_training", *_OF_ALL,
)  # fmt: skip
_TEXT = ("--dataset", "injected:Documents", "--num-workers", "2", "--collate-fn", "injected:pad", *_OF_ALL)
STARTUP = (*_TEXT, "--persistent-workers", "off", "-k", "bench_startup and not payload")
MEMORY = (*_TEXT, "-k", "bench_memory")
STORE = ("--dataset", "injected:Rows", "--num-workers", "0", "-k", "bench_epoch", *_OF_ALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class InjectedRegression:
    """The faults of base and head (fields of `datasets.synthetic.injected.Faults`), and what is measured of them."""

    name: str
    base: FaultSizes = field(default_factory=dict)
    head: FaultSizes = field(default_factory=dict)
    expected: str = ""  # the verdict; nothing where both revisions are the same
    metric: str = "samples_per_s"  # that is to get it
    options: tuple[str, ...] = EPOCH  # of the benches
    weight: int = 1  # how many of its blocks to measure for one of the others
    budget_s: float = 300.0  # of the shortest gate that is to decide it: its blocks are as such a gate has them
    with_load: bool = False  # with a background load on a revision drawn anew for each block


def _slower(share: float, name: str = "", **more: Any) -> InjectedRegression:
    """Return code whose ``__getitem__`` takes longer by `share`."""
    usual = f"__getitem__ +{100 * share:.0f} %"
    return InjectedRegression(name=name or usual, head={"getitem_share": share}, expected="regressed", **more)


def _fault(name: str, metric: str, options: tuple[str, ...], **head: float) -> InjectedRegression:
    """Return code with a fault that shows in `metric`."""
    return InjectedRegression(name=name, head=head, expected="regressed", metric=metric, options=options)


IDENTICAL = InjectedRegression(name="identical", weight=4, budget_s=120.0)
SLOWER_10 = _slower(0.10, weight=2, budget_s=60.0)
SLOWER_5 = _slower(0.05, weight=2, budget_s=150.0)
SLOWER_3 = _slower(0.03, weight=2, budget_s=900.0)
REGRESSIONS = (
    IDENTICAL,
    SLOWER_10,
    SLOWER_5,
    SLOWER_3,
    InjectedRegression(name="__getitem__ -10 %", base={"getitem_share": 1 / 9}, expected="improved", budget_s=60.0),
    InjectedRegression(name="collate_fn 16 times", head={"collate_times": 15}, expected="regressed"),
    InjectedRegression(name="identical, other benches", options=OTHER),
)
WITH_LOAD = (
    InjectedRegression(name="identical, with load", with_load=True),
    _slower(0.10, "__getitem__ +10 %, with load", with_load=True),
)
# Each is a fault that users have met, and that a gate on throughput alone, or on one pass, does not see.
FAULTS = (
    _fault("5 s at the end of an epoch", "shutdown_s", STARTUP, worker_exit_s=4.9),
    _fault("a doubled worker start", "first_batch_s", STARTUP, worker_start_s=0.06),
    _fault("1 MB leaked of each batch", "pss_bytes", MEMORY, leaked_bytes=1 << 20),
    _fault("__getitems__ removed", "samples_per_s", STORE, is_batched=False),
)


def make_revisions(regression: InjectedRegression, folder: Path) -> tuple[Revision, Revision]:
    """Make both revisions below `folder`: the same code, each with its own file of faults."""
    spec = importlib.util.find_spec(SOURCE)  # not imported: it needs torch
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{SOURCE} is not installed", name=SOURCE)
    made = []
    for name, faults in zip(NAMES, (regression.base, regression.head), strict=True):
        root = (folder / name).absolute()
        root.mkdir(parents=True)
        shutil.copy(spec.origin, root / f"{MODULE}.py")
        (root / f"{MODULE}.json").write_text(json.dumps(dict(faults)), encoding="utf-8")
        made.append(Revision(name=name, label=regression.name, folder=root, root=root))
    return made[0], made[1]


def measure_sizes(
    regression: InjectedRegression,
    revisions: tuple[Revision, Revision],
    *,
    pairs: int = 30,
    within_s: float = math.inf,
) -> dict[str, tuple[float, float, float]]:
    """Return how many times longer head takes than base, by what was called: median and quartiles over `pairs`.

    There are fewer pairs where they do not fit `within_s`, one at least.

    Called in this process, with no loader: samples of each dataset, or batches of them.
    """
    modules = [_load(revision) for revision in revisions]
    calls: dict[str, list[Call]] = {}
    for name in ("Documents", "Images"):
        datasets = [getattr(module, name)() for module in modules]
        if "collate_times" in {*regression.base, *regression.head}:
            samples = [datasets[0][index] for index in range(16)]
            calls[f"{name}, collated"] = [partial(_collate, module, samples) for module in modules]
        else:
            calls[f"{name}.__getitem__"] = [partial(_read, dataset) for dataset in datasets]
    each_s = within_s / len(calls)
    return {name: _ratio(base, head, pairs=pairs, within_s=each_s) for name, (base, head) in calls.items()}


def _load(revision: Revision) -> ModuleType:
    """Import a revision's copy under a name of its own."""
    name, file = f"{MODULE}_{revision.name}", revision.folder / f"{MODULE}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{file} cannot be imported", name=name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(dataset: "InjectedDataset") -> None:
    for index in range(25):
        dataset[index]


def _collate(module: ModuleType, samples: "list[Sample]") -> None:
    for _ in range(5):
        module.pad(samples)


def _ratio(base: Call, head: Call, *, pairs: int, within_s: float) -> tuple[float, float, float]:
    ratios: list[float] = []
    until = time.monotonic() + within_s
    while len(ratios) <= pairs and (len(ratios) < FEWEST_RATIOS or time.monotonic() < until):
        taken = {call: timeit(call, number=1) for call in ((base, head) if len(ratios) % 2 else (head, base))}
        ratios.append(taken[head] / taken[base])
    ordered = sorted(ratios[1:])
    quarter = len(ordered) // 4
    return median(ordered), ordered[quarter], ordered[-1 - quarter]

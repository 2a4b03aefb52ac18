"""Injected regressions: changes of known size in one of two revisions, to see what the gate makes of them."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING

from loaderbench.benches.gate.revisions import NAMES, Revision

if TYPE_CHECKING:
    from loaderbench.datasets.synthetic.injected import InjectedDataset, Sample

FaultSizes = Mapping[str, float]
Call = Callable[[], object]

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
    with_load: bool = False  # with a background load on a revision drawn anew for each block


IDENTICAL = InjectedRegression(name="identical", weight=4)
SLOWER_10 = InjectedRegression(name="__getitem__ +10 %", head={"getitem_share": 0.10}, expected="regressed", weight=2)
SLOWER_5 = InjectedRegression(name="__getitem__ +5 %", head={"getitem_share": 0.05}, expected="regressed", weight=2)
SLOWER_3 = InjectedRegression(name="__getitem__ +3 %", head={"getitem_share": 0.03}, expected="regressed", weight=2)
FASTER_10 = InjectedRegression(name="__getitem__ -10 %", base={"getitem_share": 1 / 9}, expected="improved")
COLLATED = InjectedRegression(name="collate_fn 16 times", head={"collate_times": 15}, expected="regressed")
OTHER_BENCHES = InjectedRegression(name="identical, other benches", options=OTHER)
REGRESSIONS = (IDENTICAL, SLOWER_10, SLOWER_5, SLOWER_3, FASTER_10, COLLATED, OTHER_BENCHES)

WITH_LOAD = (
    InjectedRegression(name="identical, with load", with_load=True),
    InjectedRegression(
        name="__getitem__ +10 %, with load", head={"getitem_share": 0.10}, expected="regressed", with_load=True
    ),
)

# Each is a fault that users have met, and that a gate on throughput alone, or on one pass, does not see.
FAULTS = (
    InjectedRegression(
        name="5 s at the end of an epoch",
        head={"worker_exit_s": 4.9},
        expected="regressed",
        metric="shutdown_s",
        options=STARTUP,
    ),
    InjectedRegression(
        name="a doubled worker start",
        head={"worker_start_s": 0.06},
        expected="regressed",
        metric="first_batch_s",
        options=STARTUP,
    ),
    InjectedRegression(
        name="1 MB leaked of each batch",
        head={"leaked_bytes": 1 << 20},
        expected="regressed",
        metric="pss_bytes",
        options=MEMORY,
    ),
    InjectedRegression(name="__getitems__ removed", head={"is_batched": False}, expected="regressed", options=STORE),
)


def make_revisions(regression: InjectedRegression, folder: Path) -> tuple[Revision, Revision]:
    """Make both revisions below `folder`: the same code, each with its own file of faults."""
    made = []
    for name, faults in zip(NAMES, (regression.base, regression.head), strict=True):
        root = (folder / name).absolute()
        root.mkdir(parents=True)
        shutil.copy(_source(), root / f"{MODULE}.py")
        (root / f"{MODULE}.json").write_text(json.dumps(dict(faults)), encoding="utf-8")
        made.append(Revision(name=name, label=regression.name, folder=root, root=root))
    return made[0], made[1]


def _source() -> Path:
    """Return the file of `SOURCE`, found without importing it: it needs torch."""
    spec = importlib.util.find_spec(SOURCE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{SOURCE} is not installed", name=SOURCE)
    return Path(spec.origin)


def measure_sizes(
    regression: InjectedRegression, revisions: tuple[Revision, Revision], *, pairs: int = 30
) -> dict[str, tuple[float, float, float]]:
    """Return how many times longer head takes than base, by what was called: median and quartiles over `pairs`.

    Called in this process, with no loader: samples of each dataset, or batches of them.
    """
    base, head = (_load(revision) for revision in revisions)
    calls: dict[str, tuple[Call, Call]] = {}
    for name in ("Documents", "Images"):
        datasets = [getattr(module, name)() for module in (base, head)]
        if "collate_times" in {*regression.base, *regression.head}:
            samples = [datasets[0][index] for index in range(16)]
            calls[f"{name}, collated"] = (_collating(base, samples), _collating(head, samples))
        else:
            calls[f"{name}.__getitem__"] = (_reading(datasets[0]), _reading(datasets[1]))
    return {name: _ratio(*pair, pairs=pairs) for name, pair in calls.items()}


def _load(revision: Revision) -> ModuleType:
    """Import a revision's copy under a name of its own."""
    name, file = f"{MODULE}_{revision.name}", revision.folder / f"{MODULE}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{file} cannot be imported", name=name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reading(dataset: "InjectedDataset") -> Call:
    return lambda: [dataset[index] for index in range(100)]


def _collating(module: ModuleType, samples: "list[Sample]") -> Call:
    return lambda: [module.pad(samples) for _ in range(20)]


def _ratio(base: Call, head: Call, *, pairs: int) -> tuple[float, float, float]:
    ratios = []
    for number in range(pairs + 1):
        first, second = (base, head) if number % 2 else (head, base)
        taken = {call: _seconds(call) for call in (first, second)}
        ratios.append(taken[head] / taken[base])
    ordered = sorted(ratios[1:])  # the first pair read the files
    return median(ordered), ordered[pairs // 4], ordered[-1 - pairs // 4]


def _seconds(call: Call) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began

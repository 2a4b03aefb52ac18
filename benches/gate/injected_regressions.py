"""Plants: changes of known size on one of two sides, to see what the gate makes of them."""

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING

from loaderbench.benches.gate.revisions import NAMES, Side

if TYPE_CHECKING:
    from loaderbench.datasets.synthetic.injected import InjectedDataset, Sample

Values = Mapping[str, float]
Work = Callable[[], object]

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
class Plant:
    """What base and head have for the numbers of ``datasets/synthetic/injected.py``, and what is measured."""

    name: str
    base: Values = field(default_factory=dict)
    head: Values = field(default_factory=dict)
    word: str = ""  # what it is to be called; nothing where both sides are the same
    metric: str = "samples_per_s"  # that is to be called so
    cases: tuple[str, ...] = EPOCH  # options of the benches
    weight: int = 1  # how many of its blocks to measure for one of the others
    loaded: bool = False  # with a load on a side drawn anew for each block

    @property
    def module(self) -> str:
        """The name of the file that both sides have."""
        return _file().stem


IDENTICAL = Plant(name="identical", weight=4)
SLOWER_10 = Plant(name="__getitem__ +10 %", head={"GETITEM": 0.10}, word="regressed", weight=2)
SLOWER_5 = Plant(name="__getitem__ +5 %", head={"GETITEM": 0.05}, word="regressed", weight=2)
SLOWER_3 = Plant(name="__getitem__ +3 %", head={"GETITEM": 0.03}, word="regressed", weight=2)
FASTER_10 = Plant(name="__getitem__ -10 %", base={"GETITEM": 1 / 9}, word="improved")
COLLATED = Plant(name="collate_fn 16 times", head={"COLLATE": 15}, word="regressed")
OTHERS = Plant(name="identical, other benches", cases=OTHER)
PLANTS = (IDENTICAL, SLOWER_10, SLOWER_5, SLOWER_3, FASTER_10, COLLATED, OTHERS)

LOADED = (
    Plant(name="identical, loaded", loaded=True),
    Plant(name="__getitem__ +10 %, loaded", head={"GETITEM": 0.10}, word="regressed", loaded=True),
)

# Each is a fault that users have met, and that a gate on throughput alone, or on one pass, does not see.
FAULTS = (
    Plant(
        name="5 s at the end of an epoch", head={"EXIT_S": 4.9}, word="regressed", metric="shutdown_s", cases=STARTUP
    ),
    Plant(
        name="a doubled worker start",
        head={"START_S": 0.06},
        word="regressed",
        metric="first_batch_s",
        cases=STARTUP,
    ),
    Plant(
        name="1 MB leaked of each batch",
        head={"LEAKED_BYTES": 1 << 20},
        word="regressed",
        metric="pss_bytes",
        cases=MEMORY,
    ),
    Plant(name="__getitems__ removed", head={"BATCHED": 0}, word="regressed", cases=STORE),
)


def sides(plant: Plant, folder: Path) -> tuple[Side, Side]:
    """Both sides below `folder`, each with its own copy of the file."""
    made = []
    for name, values in zip(NAMES, (plant.base, plant.head), strict=True):
        root = (folder / name).absolute()
        root.mkdir(parents=True)
        (root / f"{plant.module}.py").write_text(_source(values), encoding="utf-8")
        made.append(Side(name=name, label=plant.name, folder=root, root=root))
    return made[0], made[1]


def _file() -> Path:
    """``datasets/synthetic/injected.py``, found without being imported: it needs torch."""
    spec = importlib.util.find_spec("loaderbench.datasets.synthetic.injected")
    assert spec is not None
    return Path(str(spec.origin))


def _source(values: Values) -> str:
    source = _file().read_text(encoding="utf-8")
    for name, value in values.items():
        source, count = re.subn(rf"^{name} = \S+", f"{name} = {value!r}", source, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"{_file()} has {count} numbers called {name}, must have one")
    return source


def in_isolation(plant: Plant, pair: tuple[Side, Side], *, pairs: int = 30) -> dict[str, tuple[float, float, float]]:
    """How many times longer head takes than base, by what was called: median and quartiles over `pairs` of calls.

    Called here, in this process, with no loader: samples of each dataset, or batches of them.
    """
    base, head = (_loaded(side, plant.module) for side in pair)
    works: dict[str, tuple[Work, Work]] = {}
    for name in ("Documents", "Images"):
        both = [getattr(side, name)() for side in (base, head)]
        if "COLLATE" in {*plant.base, *plant.head}:
            samples = [both[0][index] for index in range(16)]
            works[f"{name}, collated"] = (_collating(base, samples), _collating(head, samples))
        else:
            works[f"{name}.__getitem__"] = (_reading(both[0]), _reading(both[1]))
    return {name: _ratio(*work, pairs=pairs) for name, work in works.items()}


def _loaded(side: Side, module: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{module}_{side.name}", side.folder / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def _reading(dataset: "InjectedDataset") -> Work:
    return lambda: [dataset[index] for index in range(100)]


def _collating(side: ModuleType, samples: "list[Sample]") -> Work:
    return lambda: [side.pad(samples) for _ in range(20)]


def _ratio(base: Work, head: Work, *, pairs: int) -> tuple[float, float, float]:
    ratios = []
    for number in range(pairs + 1):
        first, second = (base, head) if number % 2 else (head, base)
        taken = {work: _seconds(work) for work in (first, second)}
        ratios.append(taken[head] / taken[base])
    ordered = sorted(ratios[1:])  # the first pair read the files
    return median(ordered), ordered[pairs // 4], ordered[-1 - pairs // 4]


def _seconds(work: Work) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began

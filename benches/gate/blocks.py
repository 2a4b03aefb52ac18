"""Blocks: a fresh pair of processes, all cases in turns, and what both recorded, as one document.

A block is the unit of inference: two fresh processes differ by more than two rounds of one, and so what a comparison
counts is pairs of processes.
"""

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loaderbench.benches.gate.background_load import Load
from loaderbench.benches.gate.case_matching import CONTROL, Matched, Matching, match
from loaderbench.benches.gate.revisions import NAMES, Side
from loaderbench.benches.gate.scheduler import Conductor, Message, Played, PlayerError
from loaderbench.benches.harness.errors import RefusedError

Document = dict[str, Any]

LOADED_SHARE = 0.5

# What is the same in each measured process, and by what: on identical code, most of what told two pairs of processes
# apart was the allocator's habits and the placement on cores (docs/calibration.md).
ALLOCATOR = {  # glibc's; another C library does not heed them
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
# Nor do the plugins of the user's tests: each takes its time to load.
PLUGINS = ("-p", "pytest_benchmark.plugin", "-p", "loaderbench.benches.harness.plugin")
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
# Many short rounds, many blocks: it is pairs of processes that count. What the user gives comes after, and holds.
USUAL = ("--rounds=5", "--round-time=0.05", "--pass-time=0.05", "--pass-batches=2", "--case-time=1")


def _silent(_case: int, _total: int) -> None:
    """Tell no one how far a block is."""


@dataclass(kw_only=True)
class Blocks:
    """Measures block after block of two sides.

    Raises RefusedError where nothing can be compared: a side that does not start, code that is not from its own side,
    two different instruments, no case in common.
    """

    sides: tuple[Side, Side]
    options: Sequence[str]  # of the benches, as the user gave them
    folder: Path  # where the records of the processes go
    rng: random.Random
    controlled: bool = True
    differing: frozenset[str] = frozenset()  # settings in which the sides differ on purpose
    limit_s: float = 300.0
    loaded: bool = False  # burden a random side of half of the blocks: to calibrate, never to judge
    tell: Callable[[int, int], None] = _silent
    matching: Matching | None = field(default=None, init=False)
    agreed: dict[str, int] = field(default_factory=dict, init=False)
    count: int = field(default=0, init=False)

    def measure(self, keys: Iterable[str] | None = None) -> Document:
        """One block of the cases called `keys` (None: all) and the controls."""
        self.count += 1
        folder = self.folder / f"{self.count:03}"
        folder.mkdir(parents=True)
        environment = self._environment()
        cores = [f"--placement={self.rng.randrange(os.cpu_count() or 1)}"] if self.controlled else []
        benches = self._benches(keys)
        conductor = Conductor(
            commands={
                side.name: (
                    side,
                    [*self._command(side, benches), *cores, f"--run-dir={(folder / side.name).absolute()}"],
                    {**environment, **ALONE, **side.environment, "PYTHONPATH": side.paths},
                )
                for side in self.sides
            },
            arrange=lambda base, head: self._arranged(base, head, keys),
            folder=folder,
            rng=self.rng,
            agreed=self.agreed,
            limit_s=self.limit_s,
            tell=self.tell,
            load=Load(burdened=self.rng.choice(NAMES)) if self.loaded and self.rng.random() < LOADED_SHARE else None,
        )
        try:
            with conductor.load or nullcontext():
                played = conductor.play()
        except PlayerError as error:
            raise RefusedError(str(error)) from error
        return self._document(played, folder, environment, conductor.load.burdened if conductor.load else "")

    @property
    def known(self) -> Matching:
        """What both sides have; after the first block."""
        return self.matching or Matching(matched=(), new=(), gone=())

    def _command(self, side: Side, benches: Sequence[str]) -> list[str]:
        settings = self.folder / "pytest.ini"
        settings.write_text("[pytest]\n")  # what the user's own tests want of pytest does not concern the benches
        pytest = [side.python, "-m", "pytest", *PLUGINS, "--import-mode=importlib"]
        ours = [f"--config-file={settings.absolute()}", f"--rootdir={self.folder.absolute()}", "-p", "no:cacheprovider"]
        return [*pytest, *ours, "-q", *USUAL, *_with_controls(self.options), *side.options, "--pyargs", *benches]

    def _benches(self, keys: Iterable[str] | None) -> list[str]:
        """Only the files that hold a wanted case: to collect the others takes a second."""
        if self.matching is None:
            return ["loaderbench.benches"]
        wanted = {case.bench for case in self.matching.matched if keys is None or case.key in set(keys)}
        return [f"loaderbench.benches.bench_{bench}" for bench in sorted(wanted | {CONTROL})]

    def _environment(self) -> dict[str, str]:
        if not self.controlled:
            return dict(os.environ)
        seed = {"PYTHONHASHSEED": str(self.rng.randrange(1 << 32))}
        return {**os.environ, **ALLOCATOR, **THREADS, **seed}

    def _arranged(self, base: Message, head: Message, keys: Iterable[str] | None) -> list[Matched]:
        if self.matching is None:
            self._prove(base, head)
            self.matching = match(base["cases"], head["cases"], self.differing)
            if all(case.is_control for case in self.matching.matched):
                counts = f"{len(base['cases'])} cases in base, {len(head['cases'])} in head"
                raise RefusedError(f"nothing to compare: {counts}, none in both but the controls")
        return self.matching.drawn(keys, self.rng)

    def _prove(self, *introductions: Message) -> None:
        """Each side's code is its own, and the instrument is one."""
        base, head = (introduction["instrument"] for introduction in introductions)
        if base != head:
            raise RefusedError(
                f"the two interpreters have different loaderbenches: base {_words(base)}, head {_words(head)}. "
                "Install the same one in both"
            )
        for side, introduction in zip(self.sides, introductions, strict=True):
            for name, file in introduction["origins"].items():
                if side.root and not Path(file).resolve().is_relative_to(side.root.resolve()):
                    raise RefusedError(_astray(side, name, file))

    def _document(self, played: Played, folder: Path, environment: Mapping[str, str], burdened: str) -> Document:
        records = {side.name: _record(folder / side.name) for side in self.sides}
        controlled = (*ALLOCATOR, *THREADS, "PYTHONHASHSEED")
        return {
            "block": self.count,
            "seconds": played.seconds,
            "environment": {name: environment[name] for name in controlled if name in environment},
            "telemetry": played.telemetry,
            "faults": dict(played.faults),
            "burdened": burdened,
            "missed": list(_missed(played, records)),
            "samples": list(_samples(played, records)),
            "machine": records["head"].get("loaderbench", {}).get("machine", {}),
        }


def _with_controls(options: Sequence[str]) -> list[str]:
    """The user's ``-k`` must not deselect the controls."""
    found = list(options)
    for place, word in enumerate(found):
        if word == "-k" and place + 1 < len(found):
            found[place + 1] = f"({found[place + 1]}) or bench_control"
        elif word.startswith("-k") and word != "-k":
            found[place] = f"-k({word[2:].removeprefix('=')}) or bench_control"
    return found


def _astray(side: Side, name: str, file: str) -> str:
    if ":" not in name:
        return f"{name} is loaderbench's own dataset, the same on both sides: name one of {side.label} with --dataset"
    return (
        f"{side.name} ({side.label}) loaded {name} from {file}, not from its own worktree {side.root}: an installed "
        "copy came first. Uninstall it, or rebuild it in each worktree with --setup"
    )


def _words(instrument: Mapping[str, str]) -> str:
    return f"{instrument.get('version', 'none')} ({instrument.get('digest', 'no case')})"


def _record(folder: Path) -> Document:
    for name in ("run.json",):
        if (file := folder / name).exists():
            return dict(json.loads(file.read_text(encoding="utf-8")))
    return {}


def _samples(played: Played, records: Mapping[str, Document]) -> Iterator[Document]:
    """A row for each round that was granted and ended: its place in the order, and what it showed."""
    shown = {side: _rounds(record) for side, record in records.items()}
    for place, turn in enumerate(played.turns):
        case = played.cases[turn.case]
        rounds = shown[turn.side].get(case.names[turn.side], [])
        if turn.round < len(rounds):
            yield {
                "case": case.key, "side": turn.side, "round": turn.round, "place": place, "began_s": turn.began_s,
                **rounds[turn.round],
            }  # fmt: skip


def _rounds(record: Document) -> dict[str, list[Document]]:
    found = {}
    for entry in record.get("benchmarks", ()):
        columns = entry["extra_info"]["rounds"]
        length = len(next(iter(columns.values()), ()))
        found[entry["name"]] = [{name: values[row] for name, values in columns.items()} for row in range(length)]
    return found


def _missed(played: Played, records: Mapping[str, Document]) -> Iterator[Document]:
    """Cases that one side, or both, failed or skipped, or did not come to."""
    for case in played.cases:
        for side, name in case.names.items():
            record = records[side]
            block = record.get("loaderbench", {})
            if any(entry["name"] == name for entry in record.get("benchmarks", ())):
                continue
            for status in ("failed", "skipped"):
                reasons = [entry["reason"] for entry in block.get(status, ()) if entry["name"] == name]
                if reasons:
                    yield {"case": case.key, "side": side, "status": status, "reason": reasons[0]}
                    break
            else:
                yield {
                    "case": case.key,
                    "side": side,
                    "status": "failed",
                    "reason": played.faults.get(side, "no record"),
                }

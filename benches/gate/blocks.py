"""Blocks: a fresh pair of processes measures all cases in turns; what both recorded is one document.

A block of a randomised block design is the unit of inference: two fresh processes differ by more than two rounds of
one, so a comparison counts pairs of processes.
"""

import math
import os
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loaderbench.benches.gate.background_load import BackgroundLoad
from loaderbench.benches.gate.block_record import Record, missed, read_record, samples
from loaderbench.benches.gate.case_matching import MatchedCase, Matching, match
from loaderbench.benches.gate.fork_server import ForkServers, ProcessEndedError
from loaderbench.benches.gate.fork_server_main import PLUGINS
from loaderbench.benches.gate.revisions import NAMES, Revision
from loaderbench.benches.gate.scheduler import BlockSchedule, Message, RevisionProcess, Scheduler
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.system.interruption import late_ctrl_c
from loaderbench.reports.vocabulary import CONTROL_BENCH

LOADED_SHARE = 0.5

# What is the same in each measured process, and by what: on identical code, most of the difference between two pairs of
# processes came from the allocator's state and the placement on cores (docs/gate.md).
ALLOCATOR = {  # glibc's; another C library ignores them
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
FIXED_VARIABLES = (*ALLOCATOR, *THREADS, "PYTHONHASHSEED")
NO_OTHER_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
# Short rounds, so that the two of a pair find the machine in the same state, and many blocks: it is pairs of processes
# that count. Options of the user's come after, and override.
DEFAULTS = ("--round-time=0.006", "--pass-time=0.012", "--pass-batches=2", "--case-time=1")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockRequest:
    """What a block is to measure."""

    cases: Collection[str] | None = None  # besides controls; None: all
    first_pairs: int = 8  # of rounds of a case, where the user does not say, nor `pairs`
    pairs: Mapping[str, int] = field(default_factory=dict)  # by case
    has_all_controls: bool = True  # or one of them


EVERYTHING = BlockRequest()


@dataclass(kw_only=True)
class BlockRunner:
    """Measures block after block of two revisions.

    Raises RefusedError where nothing can be compared: a process that does not start, code that is not from its own
    revision, two different loaderbenches, no case in common.
    """

    revisions: tuple[Revision, Revision]
    options: Sequence[str]  # of the benches, as the user gave them
    folder: Path  # where the records of the processes go
    rng: random.Random
    fixed_environment: bool = True
    differing: frozenset[str] = frozenset()  # settings in which the revisions differ on purpose
    limit_s: float = 300.0
    with_load: bool = False  # load a random revision in half of the blocks: to calibrate, never to judge
    on_turn: Callable[[], None] = lambda: None
    servers: ForkServers = field(default_factory=ForkServers)  # whoever made them ends them
    matching: Matching = field(default_factory=lambda: Matching(matched=(), new=(), gone=()), init=False)
    agreed: dict[str, int] = field(default_factory=dict, init=False)
    count: int = field(default=0, init=False)

    @property
    def is_allocated(self) -> bool:
        """Return whether it may be decided how many rounds a case has: not where the user did."""
        return not any(word == "--rounds" or word.startswith("--rounds=") for word in self.options)

    def measure(self, request: BlockRequest = EVERYTHING, *, within_s: float = math.inf) -> Record:
        """Measure a block; raises BlockCutError if that takes more than `within_s`."""
        self.count += 1
        folder = self.folder / f"{self.count:03}"
        folder.mkdir(parents=True)
        load = BackgroundLoad(loaded=self.rng.choice(NAMES)) if self._loads() else None
        until = time.monotonic() + within_s
        processes: list[RevisionProcess] = []
        try:
            servers = self.servers.pair(self.revisions, self._environment, folder)
            commands = self._commands(request, folder)
            with load or nullcontext():
                for revision, server in zip(self.revisions, servers, strict=True):
                    log = folder / f"{revision.name}.log"
                    started = RevisionProcess.start(
                        revision, server, commands[revision.name], log, limit_s=self.limit_s, until=until
                    )
                    processes.append(started)
                schedule = Scheduler(
                    processes=processes,
                    arrange=lambda base, head: self._arrange(base, head, request),
                    rng=self.rng,
                    agreed=self.agreed,
                    on_turn=self.on_turn,
                    load=load,
                    pairs=request.pairs,
                ).run()
        except ProcessEndedError as error:
            raise RefusedError(str(error)) from error
        finally:
            with late_ctrl_c():  # none is left behind
                for process in processes:
                    process.end()
        environment = {name: value for name, value in servers[0].environment.items() if name in FIXED_VARIABLES}
        return self._record(schedule, folder, environment=environment, loaded=load.loaded if load else "")

    def _record(self, schedule: BlockSchedule, folder: Path, **how: Any) -> Record:
        """Return what a block showed; `how` is what is known of it beforehand."""
        records = {revision.name: read_record(folder / revision.name) for revision in self.revisions}
        return {
            "block": self.count,
            "seconds": schedule.seconds,
            "servers": self.servers.started,
            "telemetry": schedule.telemetry,
            "faults": dict(schedule.faults),
            "missed": list(missed(schedule, records)),
            "samples": list(samples(schedule, records)),
            "machine": records["head"].get("loaderbench", {}).get("machine", {}),
            **how,
        }

    def _loads(self) -> bool:
        return self.with_load and self.rng.random() < LOADED_SHARE

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, **NO_OTHER_PLUGINS}
        if not self.fixed_environment:
            return environment
        return {**environment, **ALLOCATOR, **THREADS, "PYTHONHASHSEED": str(self.rng.randrange(1 << 32))}

    def _commands(self, request: BlockRequest, folder: Path) -> dict[str, list[str]]:
        """Return the arguments of each revision's pytest, by name."""
        placement = [f"--placement={self.rng.randrange(os.cpu_count() or 1)}"] if self.fixed_environment else []
        settings = self.folder / "pytest.ini"
        settings.write_text("[pytest]\n")  # the configuration of the user's own tests does not concern the benches
        pytest = [word for plugin in PLUGINS for word in ("-p", plugin)]
        pytest += ["--import-mode=importlib", f"--config-file={settings.absolute()}"]
        pytest += [f"--rootdir={self.folder.absolute()}", "-p", "no:cacheprovider", "-q"]
        options = [*DEFAULTS, f"--rounds={request.first_pairs}", *placement, *_with_controls(self.options)]
        after = ["--pyargs", *self._benches(request.cases)]
        return {
            revision.name: [
                *pytest, *options, *revision.options, *after, f"--run-dir={(folder / revision.name).absolute()}"
            ]
            for revision in self.revisions
        }  # fmt: skip

    def _benches(self, cases: Collection[str] | None) -> list[str]:
        """Return only the files that hold a wanted case: to collect the others takes a second."""
        if not self.matching.matched:
            return ["loaderbench.benches"]
        benches = {case.bench for case in self.matching.matched if cases is None or case.key in cases}
        return [f"loaderbench.benches.bench_{bench}" for bench in sorted(benches | {CONTROL_BENCH})]

    def _arrange(self, base: Message, head: Message, request: BlockRequest) -> list[MatchedCase]:
        if not self.matching.matched:
            self._prove_origins(base, head)
            self.matching = match(base["cases"], head["cases"], self.differing)
            if all(case.is_control for case in self.matching.matched):
                counts = f"{len(base['cases'])} cases in base, {len(head['cases'])} in head"
                raise RefusedError(f"nothing to compare: {counts}, none in both but the controls")
        return self.matching.in_random_order(request.cases, self.rng, has_all_controls=request.has_all_controls)

    def _prove_origins(self, *introductions: Message) -> None:
        """Refuse code that is not from its own revision, and two different loaderbenches."""
        base, head = (introduction["instrument"] for introduction in introductions)
        if base != head:
            raise RefusedError(
                f"the two interpreters have different loaderbenches: base {_named(base)}, head {_named(head)}. "
                "Install the same one in both"
            )
        for revision, introduction in zip(self.revisions, introductions, strict=True):
            for name, file in introduction["origins"].items():
                if revision.root and not Path(file).resolve().is_relative_to(revision.root.resolve()):
                    raise RefusedError(_astray(revision, name, file))


def _with_controls(options: Sequence[str]) -> list[str]:
    """Keep the user's ``-k`` from deselecting the controls."""
    words = list(options)
    for place, word in enumerate(words):
        if word == "-k" and place + 1 < len(words):
            words[place + 1] = f"({words[place + 1]}) or bench_control"
        elif word.startswith("-k") and word != "-k":
            words[place] = f"-k({word[2:].removeprefix('=')}) or bench_control"
    return words


def _astray(revision: Revision, name: str, file: str) -> str:
    if ":" not in name:
        return f"{name} is loaderbench's own dataset, the same in both: name one of {revision.label} with --dataset"
    return (
        f"{revision.name} ({revision.label}) loaded {name} from {file}, not from its own worktree {revision.root}: an "
        "installed copy came first. Uninstall it, or rebuild it in each worktree with --setup"
    )


def _named(instrument: Mapping[str, Any]) -> str:
    return f"{instrument.get('version', 'none')} ({instrument.get('digest', 'no case')})"

"""Calibrating: measures blocks and gates of identical code and of injected regressions, and keeps each at once."""

import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from loaderbench.benches.gate.block_record import Record
from loaderbench.benches.gate.blocks import BlockRequest, BlockRunner
from loaderbench.benches.gate.fork_server import BlockCutError, ForkServers
from loaderbench.benches.gate.injected_regressions import InjectedRegression, make_revisions, measure_sizes
from loaderbench.benches.gate.measuring import measure
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.session.record import now
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.reports.gate.budget import OVERRUN, BlockQueue
from loaderbench.reports.gate.calibration.gate_calibration import ABOUT, BLOCKS, GATES, SIZES, block_record
from loaderbench.reports.gate.calibration.replayed_gates import Pool, gate_run
from loaderbench.reports.gate.paired_effects import effects
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.rounds_per_block import cost_of
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.units import duration


@dataclass(kw_only=True)
class CalibrationRunner:
    """Measures for the calibration in `folder`."""

    folder: Path
    rng: random.Random
    progress: Progress
    interruption: Interruption
    servers: ForkServers
    planned: dict[str, SequentialTest] = field(default_factory=dict)  # of the first blocks of each regression, by name
    runners: dict[str, BlockRunner] = field(default_factory=dict)  # by the regression's name

    def begin(self, seed: int) -> None:
        """Make the folder, and note when, how, and on what machine."""
        self.folder.mkdir(parents=True)
        about = {
            "version": version("loaderbench"),
            "started": now().isoformat(),
            "command": ["loaderbench", *sys.argv[1:]],
            "seed": seed,
            "machine": machine.facts(),
        }
        (self.folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")

    def sizes(self, regressions: Sequence[InjectedRegression], within_s: float) -> None:
        """Measure how large each regression is by itself, with no loader around it."""
        sizes = {}
        for regression in regressions:
            self.progress.describe(f"{regression.name} by itself")
            revisions = self._runner(regression).revisions
            sizes[regression.name] = measure_sizes(regression, revisions, within_s=within_s / len(regressions))
            self.interruption.check()
        (self.folder / SIZES).write_text(json.dumps(sizes, indent=1), encoding="utf-8")

    def blocks(self, regressions: Sequence[InjectedRegression], budget_s: float) -> None:
        """Measure blocks of each regression by its weight, in shuffled order, while the budget lasts."""
        by_name = {regression.name: regression for regression in regressions}
        weights = {regression.name: regression.weight for regression in regressions}
        queue = BlockQueue(weights=weights, budget_s=budget_s, rng=self.rng)
        ended, servers = time.monotonic(), 0
        with suppress(BlockCutError):  # it took longer than was expected: it is left out
            while (name := queue.next_block()) is not None:
                regression = by_name[name]
                self.progress.describe(name)
                block = self._block(regression, within_s=OVERRUN * budget_s - queue.spent_s)
                record = block_record(block)
                began, ended = ended, time.monotonic()
                is_renewed, servers = block["servers"] != servers, block["servers"]
                renewed_s = max(0.0, ended - began - block["seconds"]) if is_renewed else 0.0
                times = {"seconds": ended - began - renewed_s, "renewed_s": renewed_s}
                self._keep(BLOCKS, {**_about(regression), **record, **times})
                queue.add(name, ended - began)
                self.interruption.check()

    def _block(self, regression: InjectedRegression, *, within_s: float) -> Record:
        """Return a block with as many rounds as a gate on the same code would have in it."""
        plan = Plan(budget_s=regression.budget_s)
        test = self.planned.setdefault(regression.name, SequentialTest(plan=plan))
        is_planned = test.blocks >= plan.allocated_after
        request = BlockRequest(first_pairs=plan.first_pairs, pairs=test.pairs or {}, has_all_controls=not is_planned)
        began = time.monotonic()
        block = self._runner(regression).measure(request, within_s=within_s)
        if not is_planned:
            seconds = time.monotonic() - began
            test.add(effects([block]), seconds, cost_of(block, seconds))
        return block

    def gate(self, regression: InjectedRegression, plan: Plan) -> None:
        """Measure a whole gate, as `loaderbench gate` does."""
        self.progress.describe(f"whole gate on {regression.name}")
        self.servers.end()  # a gate starts its own
        test = SequentialTest(plan=plan)
        measure(test, self._new_runner(regression, "gate"), self.interruption)
        self.interruption.check()
        if test.stopped:
            raise RefusedError(test.stopped)
        ended = gate_run(test, Pool(name=regression.name, expected=regression.expected, metric=regression.metric))
        self._keep(GATES, msgspec.to_builtins(ended))
        called = {verdict for of_case in ended.verdicts.values() for verdict in of_case.values()}
        self.progress.say(f"whole gate on {regression.name}: {', '.join(sorted(called))} · {duration(test.spent_s)}")

    def _runner(self, regression: InjectedRegression) -> BlockRunner:
        if regression.name not in self.runners:
            self.runners[regression.name] = self._new_runner(regression, "blocks")
        return self.runners[regression.name]

    def _new_runner(self, regression: InjectedRegression, name: str) -> BlockRunner:
        records = self.folder / "records"
        folder = records / f"{name}-{sum(1 for _ in records.glob('*')) + 1}"
        return BlockRunner(
            revisions=make_revisions(regression, folder),
            options=regression.options,
            folder=folder / "blocks",
            rng=self.rng,
            with_load=regression.with_load,
            on_turn=self.interruption.check,
            servers=self.servers,
        )

    def _keep(self, name: str, entry: dict[str, Any]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _about(regression: InjectedRegression) -> dict[str, Any]:
    """Return what a block is of, and what a gate is to make of it."""
    return {
        "regression": regression.name,
        "expected": regression.expected,
        "metric": regression.metric,
        "budget_s": regression.budget_s,
    }

"""``loaderbench calibrate``: how often does the gate err on this machine, and how long does it take to see a change?"""

import argparse
import json
import random
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from loaderbench.benches.cli.gate import INTERRUPTED, WIDE, ended_by_signals, refuse, seconds, unused, write
from loaderbench.benches.gate import injected_regressions as plants
from loaderbench.benches.gate.blocks import Blocks
from loaderbench.benches.gate.injected_regressions import IDENTICAL, Plant
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.record import now

ABOUT = "about.json"
SIZES = "sizes.json"
BLOCKS = "blocks.jsonl"
GATES = "gates.jsonl"
USUAL_S = 1800.0
SOON_S, LATER_S = 120.0, 300.0  # budgets of whole gates


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb; it sets `run`, which takes the options and returns the exit code."""
    parser = verbs.add_parser(
        "calibrate",
        help="measure the gate itself on this machine: false alarms, what it finds, how long that takes",
        description="Compares identical code, and code with planted changes of known size, block by block.",
    )
    parser.add_argument(
        "--budget", type=seconds, metavar="TIME", help="for the blocks (default: 30m; with --again none)"
    )
    parser.add_argument("--loaded", action="store_true", help="blocks with a load on a random side, too")
    parser.add_argument("--gates", type=int, metavar="N", default=0, help="N whole gates on identical code, 2 min each")
    parser.add_argument(
        "--planted", type=int, metavar="N", default=0, help="N whole gates on +10 %% (2 min) and on +5 %% (5 min)"
    )
    parser.add_argument("--faults", action="store_true", help="a whole gate on each of four faults that users have met")
    parser.add_argument("--draws", type=int, metavar="N", default=125, help="gates played of blocks (default: 125)")
    parser.add_argument("--seed", type=int, metavar="N", default=None, help="of all orders (default: drawn)")
    parser.add_argument("--again", type=Path, metavar="DIR", help="go on with an earlier one, and work it out anew")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where it goes (default: runs/<when>-calibration)")
    parser.set_defaults(run=calibrate)


def calibrate(options: argparse.Namespace) -> int:
    """Measure what was asked for, work it out, write it, show it, and return the exit code."""
    folder = options.again or options.out or unused(Path("runs") / f"{now():%Y%m%d-%H%M%S}-calibration")
    if options.again and not (folder / ABOUT).exists():
        return refuse(f"--again {folder}: no calibration is there ({ABOUT} is missing)")
    if not options.again and folder.exists():
        return refuse(f"--out {folder} is there already: go on with it by --again {folder}, or name a new folder")
    try:
        with ended_by_signals():
            _measure(options, folder)
        return _publish(folder, options.draws)
    except RefusedError as error:
        return refuse(str(error))
    except OSError as error:
        return refuse(f"{error.filename or folder}: {error.strerror}")
    except KeyboardInterrupt:
        return refuse(f"interrupted; what was measured is kept: loaderbench calibrate --again {folder}", INTERRUPTED)


def _measure(options: argparse.Namespace, folder: Path) -> None:
    seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed
    measuring = Measuring(folder=folder, rng=random.Random(seed))  # noqa: S311 - an order, not a secret
    asked = (*plants.PLANTS, *(plants.LOADED if options.loaded else ()))
    if not options.again:
        folder.mkdir(parents=True)
        measuring.begin(seed)
        measuring.sizes([plant for plant in asked if plant.word and not plant.loaded])
    if budget_s := options.budget or (0.0 if options.again else USUAL_S):
        measuring.pools(asked, budget_s)
    for plant in plants.FAULTS if options.faults else ():
        measuring.gate(plant, LATER_S)
    for number in range(max(options.gates, options.planted)):
        if number < options.gates:
            measuring.gate(IDENTICAL, SOON_S)
        if number < options.planted:
            measuring.gate(plants.SLOWER_10, SOON_S)
            measuring.gate(plants.SLOWER_5, LATER_S)


@dataclass(kw_only=True)
class Measuring:
    """Measures blocks and whole gates, and keeps each as soon as it is there."""

    folder: Path
    rng: random.Random
    blocks: dict[str, Blocks] = field(default_factory=dict)
    spent_s: float = 0.0

    def begin(self, seed: int) -> None:
        """Note when, how, and on what machine."""
        from loaderbench.benches.harness.system import machine

        held = {
            "version": version("loaderbench"),
            "started": now().isoformat(),
            "command": ["loaderbench", *sys.argv[1:]],
            "seed": seed,
            "machine": machine.facts(),
        }
        (self.folder / ABOUT).write_text(json.dumps(held, indent=1), encoding="utf-8")

    def sizes(self, asked: Sequence[Plant]) -> None:
        """How large each plant is by itself, with no loader around it."""
        found = {plant.name: plants.in_isolation(plant, self._blocks(plant).sides) for plant in asked}
        (self.folder / SIZES).write_text(json.dumps(found, indent=1), encoding="utf-8")

    def pools(self, asked: Sequence[Plant], budget_s: float) -> None:
        """Blocks of each plant by its weight, in shuffled order, while the budget lasts."""
        from loaderbench.reports.gate.calibration import summary

        for plant in self._order(asked):
            usual_s = self.spent_s / max(1, sum(made.count for made in self.blocks.values()))
            if self.spent_s + usual_s > budget_s:
                return
            block = self._blocks(plant).measure()
            self.spent_s += block["seconds"]
            self._keep(BLOCKS, {"plant": plant.name, "word": plant.word, "metric": plant.metric, **summary(block)})
            _tell(f"{plant.name} · {block['seconds']:.0f} s · {max(0.0, budget_s - self.spent_s) / 60:.0f} min left")

    def _order(self, asked: Sequence[Plant]) -> Iterator[Plant]:
        while True:
            deck = [plant for plant in asked for _ in range(plant.weight)]
            self.rng.shuffle(deck)
            yield from deck

    def gate(self, plant: Plant, budget_s: float) -> None:
        """A whole gate, as `loaderbench gate` conducts it."""
        from loaderbench.reports.gate.replay import words
        from loaderbench.reports.gate.sequential import Plan, Trial

        trial = Trial(plan=Plan(budget_s=budget_s), measure=self._made(plant, "gate").measure)
        trial.run()
        found = [[*name, word] for name, word in words(trial).items()]
        about = {"name": plant.name, "word": plant.word, "metric": plant.metric, "budget_s": budget_s}
        self._keep(GATES, {**about, "spent_s": trial.spent_s, "blocks": len(trial.blocks), "words": found})
        _tell(f"whole gate on {plant.name}: {', '.join(sorted({word for *_, word in found}))} · {trial.spent_s:.0f} s")

    def _blocks(self, plant: Plant) -> Blocks:
        if plant.name not in self.blocks:
            self.blocks[plant.name] = self._made(plant, "plant")
        return self.blocks[plant.name]

    def _made(self, plant: Plant, name: str) -> Blocks:
        place = unused(self.folder / "records" / name)
        return Blocks(
            sides=plants.sides(plant, place),
            options=plant.cases,
            folder=place / "blocks",
            rng=self.rng,
            loaded=plant.loaded,
        )

    def _keep(self, name: str, entry: dict[str, Any]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _publish(folder: Path, draws: int) -> int:
    from loaderbench.reports.documents import calibration as calibration_outputs
    from loaderbench.reports.gate.calibration import calibration

    try:
        found = calibration(
            _documents(folder / BLOCKS),
            _documents(folder / GATES),
            about=_document(folder / ABOUT),
            sizes=_document(folder / SIZES),
            draws=draws,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"{folder}: what was recorded cannot be read: {type(error).__name__}: {error}") from error
    write(calibration_outputs.outputs(found), folder)
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(calibration_outputs.terminal(found))
    print(f"\n{folder.resolve()}")
    return 0


def _document(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _documents(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]

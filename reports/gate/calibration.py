"""The calibration: how often the gate errs on this machine, and how long it takes to see a change of known size.

Blocks of identical code and of planted changes are recorded once, and gates are played with them many times; whole
gates, measured from start to end, are counted beside that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loaderbench.reports.gate.comparison import Noise
from loaderbench.reports.gate.paired_effects import effects
from loaderbench.reports.gate.replay import (
    Gate,
    Outcome,
    Pool,
    Rate,
    Rng,
    counted,
    coverage,
    minutes,
    outcome,
    spreads,
)
from loaderbench.reports.gate.sequential import Block, Plan
from loaderbench.reports.gate.verdict_file import read_noise
from loaderbench.reports.records.files import machine_facts, parsed
from loaderbench.reports.records.reading import MalformedError, content_of

# Schema of calibration.json.
# 1 (0.2.0): machine, command, noise, sizes, resampled, whole, faults, coverage, spreads.
# 2 (0.2.0): outcomes and faults have a margin.
SCHEMA = 2

KIND = ("cpu_model", "cpus_affinity", "cpus_quota", "accelerator_name")  # what a calibration holds for
IDENTICAL = "identical"
QUIET = (IDENTICAL, "identical, other benches")  # with nothing put on the machine
CHANGES = (0.05, 0.10)
PLAYED = (Plan(budget_s=120.0), Plan(budget_s=300.0), Plan(budget_s=900.0, margin=0.01))


def summary(document: Mapping[str, Any]) -> Block:
    """What is kept of a block: its effects, and how long each of its cases took."""
    frame = effects([document])
    return {
        "seconds": document["seconds"],
        "burdened": document.get("burdened", ""),
        "spans": spans(document),
        "effects": frame.drop(columns="block").to_dict("records"),
    }


def spans(document: Mapping[str, Any]) -> dict[str, float]:
    """How many seconds each case took; what comes before the first is the start of the processes."""
    began: dict[str, float] = {}
    for sample in sorted(document["samples"], key=lambda each: each["place"]):
        began.setdefault(sample["case"], sample["began_s"])
    ends = [*list(began.values())[1:], document["seconds"]]
    return {case: end - start for (case, start), end in zip(began.items(), ends, strict=True)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """A machine's calibration: what was recorded, and what it comes to."""

    about: Mapping[str, Any]  # version, started, command, seed, machine
    sizes: Mapping[str, Mapping[str, tuple[float, float, float]]]  # of plants by themselves: median, quartiles
    pools: tuple[Pool, ...]
    resampled: tuple[Outcome, ...]
    whole: tuple[Outcome, ...]
    faults: tuple[Gate, ...]
    needed_s: Mapping[float, float]  # by change: the budget in which it is found
    coverage: Mapping[int, Mapping[str, Rate]]  # by blocks, and metric

    def noise(self) -> Noise:
        """What a gate on a machine like this one states of itself."""
        identical = [each for each in self.resampled if each.name in QUIET]
        return Noise(
            measured=str(self.about.get("started", ""))[:10],
            blocks=sum(len(pool.blocks) for pool in self.pools if pool.name in QUIET),
            false_cases=sum(each.found.count for each in identical),
            of_cases=sum(each.found.of for each in identical),
            needed_s={f"{change:g}": taken for change, taken in self.needed_s.items() if np.isfinite(taken)},
        )

    def document(self) -> dict[str, Any]:
        """``calibration.json``."""
        return {
            "schema": SCHEMA,
            **self.about,
            "noise": asdict(self.noise()),
            "sizes": self.sizes,
            "resampled": [asdict(each) for each in self.resampled],
            "whole": [asdict(each) for each in self.whole],
            "faults": [
                {**asdict(each), "words": [[*name, word] for name, word in each.words.items()]} for each in self.faults
            ],
            "coverage": {
                str(blocks): {name: asdict(rate) for name, rate in held.items()}
                for blocks, held in self.coverage.items()
            },
            "spreads": {pool.name: spreads(pool).to_dict("records") for pool in self.pools},
        }


def stated(file: Path, machine: Mapping[str, Any]) -> Noise | None:
    """What the calibration in `file` says of a `machine`; None where it was made on an unlike one.

    Raises MalformedError, in one line, where it is no calibration.
    """
    held = parsed(content_of(file), "file", "calibration")
    if held.get("schema") != SCHEMA:
        raise MalformedError(f"has schema {str(held.get('schema'))[:24]!r}; this loaderbench reads schema {SCHEMA}")
    there, here = (machine_facts(facts) for facts in (held.get("machine"), dict(machine)))
    return None if any(there.get(name) != here.get(name) for name in KIND) else read_noise(held.get("noise"))


def calibration(
    blocks: Iterable[Mapping[str, Any]],
    gates: Iterable[Mapping[str, Any]],
    *,
    about: Mapping[str, Any],
    sizes: Mapping[str, Any],
    draws: int,
) -> Calibration:
    """Work out what was recorded: `draws` gates are played of every comparison, by each plan of `PLAYED`.

    By a plan after the first only where more was recorded than the one before it can use.
    """
    rng = np.random.default_rng(about.get("seed", 0))
    held = tuple(pools(blocks))
    whole: dict[tuple[str, float], list[Gate]] = {}
    for gate in map(_gate, gates):
        whole.setdefault((gate.name, gate.budget_s), []).append(gate)
    identical = next((pool for pool in held if pool.name == IDENTICAL), None)
    quiet = [pool for name in reversed(QUIET) for pool in held if pool.name == name]
    return Calibration(
        about=about,
        sizes=sizes,
        pools=held,
        resampled=tuple(_resampled(held, draws, rng)),
        whole=tuple(counted(same) for (name, _), same in whole.items() if name in {pool.name for pool in held}),
        faults=tuple(
            gate for (name, _), same in whole.items() for gate in same if name not in {pool.name for pool in held}
        ),
        needed_s={change: minutes(identical, Plan(), change, draws, rng) for change in CHANGES} if identical else {},
        coverage={count: _covered(quiet, count, rng) for count in (6, 18)} if quiet else {},
    )


def _resampled(held: Sequence[Pool], draws: int, rng: Rng) -> Iterator[Outcome]:
    for pool in held:
        recorded_s = sum(block["seconds"] for block in pool.blocks)
        for before_s, plan in zip((0.0, *(each.budget_s for each in PLAYED)), PLAYED, strict=False):
            if recorded_s > before_s:
                yield outcome(pool, plan, draws, rng)


def _covered(quiet: Sequence[Pool], count: int, rng: Rng) -> dict[str, Rate]:
    """Coverage by metric; of a metric that several pools have, the last one's."""
    return {metric: rate for pool in quiet for metric, rate in coverage(pool, count, rng).items()}


def pools(documents: Iterable[Mapping[str, Any]]) -> Iterator[Pool]:
    """Blocks as they were recorded, by comparison."""
    held: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        held.setdefault(document["plant"], []).append(document)
    for name, blocks in held.items():
        yield Pool(name=name, word=blocks[0]["word"], metric=blocks[0]["metric"], blocks=tuple(map(dict, blocks)))


def _gate(held: Mapping[str, Any]) -> Gate:
    found = {(case, metric): word for case, metric, word in held["words"]}
    return Gate(**{**held, "words": found})

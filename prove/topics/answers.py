"""Is the answer of ``loaderbench run`` right? Twenty datasets of known cost, each beside a grid of more rounds.

The answer is what limits training, where there is a model, and the setting to use. It is right if the setting is within
3 % of the best of the grid, and if what is slower in the grid, of loader and step alone at that setting, is said to be.
"Cannot tell" is right where the grid has loader and step within 10 % of each other, or the setting within 10 % of the
best; how often it was said is in the note.

The grid has the passes of the answer, more of them, and each setting in two processes: those differ by more than the
rounds of one.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.records.frame import read_records
from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.stats.recommendation import Recommendation, recommend
from loaderbench.reports.stats.summary import latest, summarise
from loaderbench.reports.units import percent, quantity
from prove.commands import CommandError, loaderbench
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

QUESTIONS = "loaderbench.datasets.synthetic.questions"
CLOSE = 0.1  # where "cannot tell" is right
GRIDS, GRID_ROUNDS = 2, 7  # processes of a setting, and the rounds of each


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A dataset, and the step that trains on it (None: the loader alone)."""

    name: str
    costs: Mapping[str, float] = field(default_factory=dict)
    step_s: float | None = None
    options: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the options that say what is loaded and trained."""
        subject = (
            "--dataset",
            f"{QUESTIONS}:CostlySamples",
            "--dataset-args",
            json.dumps(dict(self.costs)),
            *self.options,
        )
        if self.step_s is None:
            return subject
        return *subject, "--model", f"{QUESTIONS}:TimedStep", "--model-args", json.dumps([self.step_s])


COLLATE_5MS, COLLATE_20MS = (("--collate-fn", f"{QUESTIONS}:collate_in_{ms}ms") for ms in (5, 20))
SOON, LATE = 5e-4, 0.08  # a step of a batch of 32, faster and slower than most loaders here

ASKED = (
    Question(name="cheap samples"),
    Question(name="cheap samples of 4 kB", costs={"sample_bytes": 4096}),
    Question(name="0.2 ms of a core", costs={"busy_s": 2e-4}),
    Question(name="1 ms of a core", costs={"busy_s": 1e-3}),
    Question(name="5 ms of a core", costs={"busy_s": 5e-3}),
    Question(name="1 ms of waiting", costs={"sleep_s": 1e-3}),
    Question(name="5 ms of waiting", costs={"sleep_s": 5e-3}),
    Question(name="20 ms of waiting", costs={"sleep_s": 2e-2}),
    Question(name="samples of 200 kB", costs={"sample_bytes": 200_000}),
    Question(name="samples of 1 MB", costs={"sample_bytes": 1_000_000}),
    Question(name="collating in 5 ms", options=COLLATE_5MS),
    Question(name="collating in 20 ms", options=COLLATE_20MS),
    Question(name="cheap samples, fast step", step_s=SOON),
    Question(name="cheap samples, slow step", step_s=LATE),
    Question(name="1 ms of a core, fast step", costs={"busy_s": 1e-3}, step_s=SOON),
    Question(name="1 ms of a core, slow step", costs={"busy_s": 1e-3}, step_s=LATE),
    Question(name="5 ms of waiting, fast step", costs={"sleep_s": 5e-3}, step_s=SOON),
    Question(name="1 ms of waiting, slow step", costs={"sleep_s": 1e-3}, step_s=LATE),
    Question(name="samples of 200 kB, slow step", costs={"sample_bytes": 200_000}, step_s=LATE),
    Question(name="collating in 20 ms, slow step", options=COLLATE_20MS, step_s=LATE),
)
BUDGET_S, TOO_LATE = 60.0, 1.2  # of the command itself, and the factor by which it may exceed that
ENDED = "run: time that an answer takes over its minute, the longest"
RIGHT = f"run: right answers in a minute, of {len(ASKED)} datasets of known cost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a minute answered, and what the grid has measured at that setting."""

    recommendation: Recommendation
    of_best: float
    """Throughput in the grid of the recommended setting over the best."""
    loader_over_step: float
    """Of the recommended setting, each alone, in the grid; NaN without training."""

    @property
    def cannot_tell(self) -> bool:
        """Return whether it says that the rounds do not show the setting, or what limits training."""
        return not self.recommendation.headline.is_shown or self.recommendation.bottleneck == "open"

    @property
    def is_right(self) -> bool:
        """Return whether setting and bottleneck are right, or rightly left open."""
        least = 1 - (MARGIN if self.recommendation.headline.is_shown else CLOSE)
        return self.of_best >= least and self._is_bottleneck_right()

    def _is_bottleneck_right(self) -> bool:
        if self.recommendation.bottleneck == "unknown":
            return True
        if self.recommendation.bottleneck == "open":
            return abs(self.loader_over_step - 1) <= CLOSE
        return (self.recommendation.bottleneck == "loading") == (self.loader_over_step < 1)


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return how many answers are right, and say how many were that it cannot tell."""
    answers: list[Answer] = []
    taken_s: list[float] = []
    measured: dict[str, Measured] = {}
    for question in scope.parts(_asked(scope), lambda question: question.name):
        began = perf_counter()
        try:
            _ask(question, scope)
            taken_s.append(perf_counter() - began)
            answers.append(_judged_by_grids(question, scope))
        except CommandError as error:
            scope.say(str(error))
        right = sum(answer.is_right for answer in answers)
        open_ones = sum(answer.cannot_tell for answer in answers)
        measured = {
            RIGHT: Measured(value=right, note=f"{open_ones} × cannot tell or in part"),
            ENDED: Measured(value=max(taken_s, default=math.nan) / BUDGET_S),
        }
        scope.keep(measured)
    return measured


def _asked(scope: Scope) -> Sequence[Question]:
    return ASKED[: scope.of(len(ASKED), 1)]


def details(scope: Scope) -> Sequence[Table]:
    """Return what was answered about each dataset, beside the grid."""
    labels = ("dataset", "answer", "bottleneck", "of the best", "loader over step", "right")
    rows = []
    for question in _asked(scope):
        minute, grids = _records(question, scope)
        if not all((folder / "run.json").exists() for folder in (minute, *grids)):
            continue  # its command failed
        answer = answer_of(minute, grids)
        choice = answer.recommendation.headline
        texts = (
            question.name,
            f"{choice.setting}{'' if choice.is_shown else ' (not shown)'}",
            answer.recommendation.bottleneck,
            percent(answer.of_best),
            quantity(answer.loader_over_step, "ratio"),
            "yes" if answer.is_right else "no",
        )
        rows.append(tuple(Cell(text=text) for text in texts))
    return [Table(columns=tuple(Column(label=label) for label in labels), rows=tuple(rows))]


def _ask(question: Question, scope: Scope) -> None:
    """Measure a question in a minute; in short, two settings."""
    workers = ("--num-workers", "0,2") if scope.short else ()
    minute, _ = _records(question, scope)
    loaderbench("run", *question.arguments, *workers, "--run-dir", str(minute), folder=scope.folder)


def _judged_by_grids(question: Question, scope: Scope) -> Answer:
    """Measure the grids of the settings that were answered about, none in short, and return the answer beside them."""
    minute, grids = _records(question, scope)
    settings = latest(summarise(read_records([minute]).frame))["num_workers"].unique()
    bench = "bench_epoch" if question.step_s is None else "bench_training"
    for grid in () if scope.short else grids:
        loaderbench(
            "run", *question.arguments, "--num-workers", ",".join(str(int(number)) for number in sorted(settings)),
            "--batch-size", "32", "--rounds", str(GRID_ROUNDS), "--pass-batches", "2", "--pass-time", "250ms", "-q",
            "--benchmark-quiet", "-k", bench, "--run-dir", str(grid), folder=scope.folder,
        )  # fmt: skip
    return answer_of(minute, grids)


def _records(question: Question, scope: Scope) -> tuple[Path, Sequence[Path]]:
    """Return where the records of an answer and of its grids are; the short form has no other than the answer's."""
    minute = scope.folder / f"minute {question.name}"
    grids = [scope.folder / f"grid {number} {question.name}" for number in range(GRIDS)]
    return minute, [minute] if scope.short else grids


def answer_of(minute: Path, grids: Sequence[Path]) -> Answer:
    """Return the answer in the record in `minute`, beside the records in `grids`."""
    (recommendation,) = recommend(latest(summarise(read_records([minute]).frame)))
    return judged(recommendation, in_all(summarise(read_records(grids).frame)))


RATES = ["samples_per_s", "loader_samples_per_s", "step_samples_per_s"]


def in_all(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the rates of each number of workers, as the geometric means over its processes."""
    logs = cases.set_index("num_workers")[RATES].astype(float).apply(np.log)
    return logs.groupby(level=0).mean().apply(np.exp)


def judged(recommendation: Recommendation, grid: pd.DataFrame) -> Answer:
    """Return an answer beside the rates of a grid, whose index is the number of workers."""
    same = grid.loc[recommendation.headline.chosen["num_workers"]]
    return Answer(
        recommendation=recommendation,
        of_best=float(same["samples_per_s"] / grid["samples_per_s"].max()),
        loader_over_step=float(same["loader_samples_per_s"] / same["step_samples_per_s"]),
    )


TOPIC = Topic(
    name="answers",
    goals=(Goal(what=RIGHT, unit="", at_least=len(ASKED) - 1), Goal(what=ENDED, unit="ratio", at_most=TOO_LATE)),
    measure=measure,
    details=details,
    minutes=34,
)

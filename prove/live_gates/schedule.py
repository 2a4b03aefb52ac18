"""What is measured next: a question, a kind of noise and a tool, so that any part of the table is balanced.

Nothing here has a clock or a process.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

QUIET, BURSTS = "quiet", "bursts"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is compared with ``base``, and what a gate may take for the answer."""

    name: str
    head: str  # a tag of the repository of cases
    expected: str  # the verdict on throughput
    budget: str
    margin: str
    text: str  # a row of the table
    every: int = 1  # it is asked in every so many repetitions


QUESTIONS = (
    Question(
        name="same-2m", head="same", expected="unchanged", budget="2m", margin="5%", text="identical, 2 min, margin 5 %"
    ),
    Question(name="p10-1m", head="p10", expected="regressed", budget="1m", margin="3%", text="+10 %, 1 min"),
    Question(name="p10-2m", head="p10", expected="regressed", budget="2m", margin="3%", text="+10 %, 2 min"),
    Question(name="p5-150s", head="p5", expected="regressed", budget="150s", margin="3%", text="+5 %, 2.5 min"),
    Question(
        name="same-5m", head="same", expected="unchanged", budget="5m", margin="3%",
        text="identical, 5 min, margin 3 %", every=2,
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One tool that answers one question beside one kind of noise; `repetition` counts from 0."""

    repetition: int
    noise: str
    question: Question
    tool: str

    @property
    def name(self) -> str:
        """Return what its folder is called."""
        return f"{self.repetition:02}-{self.noise}-{self.question.name}-{self.tool}"


def runs(
    noises: Sequence[str], tools: Sequence[str], questions: Sequence[Question] = QUESTIONS, *, seed: int = 0
) -> Iterator[Run]:
    """Yield runs without end: each tool answers a question, in shuffled order, before another one is asked.

    The order depends on nothing but the arguments, so that what was measured is passed over when it is continued.
    """
    repetition = 0
    while True:
        rng = random.Random(f"{seed} {repetition}")  # noqa: S311 - an order, not a secret
        due = [question for question in questions if repetition % question.every == question.every - 1]
        asked = [(noise, question) for noise in noises for question in due]
        rng.shuffle(asked)
        for noise, question in asked:
            for tool in rng.sample(list(tools), len(tools)):
                yield Run(repetition=repetition, noise=noise, question=question, tool=tool)
        repetition += 1


def still_to_do(runs: Iterator[Run], done: Sequence[str]) -> Iterator[Run]:
    """Yield the runs whose names are not among those that are `done`."""
    left = Counter(done)
    for run in runs:
        if left[run.name]:
            left[run.name] -= 1
        else:
            yield run

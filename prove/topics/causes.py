"""Does ``loaderbench explain`` find what is wrong? Datasets with one injected cause each, and one without any.

An injected cause must be said to help, and nothing may be ranked before it but what removes the same cost: within a
minute, or else within the two minutes of the command's own budget. Of the dataset without any, nothing may be said to
help, and nothing to harm but fewer workers, in two minutes. Memory that leaks, or that is copied on write, must be
reported as such, and so must what is seen without A/B passes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from loaderbench.reports.documents.document import Cell, Column, Table, Tone
from loaderbench.reports.explain.memory_growth import copied_bytes, memory_growth
from loaderbench.reports.explain.ranking import Ranking, read_ranking
from loaderbench.reports.units import MISSING, percent
from prove.commands import CommandError, loaderbench
from prove.goals import Goal, Topic
from prove.injected_causes import CAUSES, COPIED, COPIED_DICT, LEAK, LITTLE, NO_WORKERS, NOTHING, OBSERVED, Injected
from prove.scope import Measured, Scope

SHORT_BUDGET = "5s"
OBSERVING = "20s"  # what is seen without A/B passes is seen first
FIRST_TRY, USUAL = "60s", "120s"  # the budget of the first try, and the command's own
SHARE_OF_BUDGET = "share-of-budget"  # the file beside a record: what its whole command took, over its budget
FEWER_WORKERS = frozenset({NO_WORKERS, "too many workers"})  # the causes whose removal takes workers away
LATE = 1.2  # the factor by which a command may exceed its budget

FIRST = f"explain: of {len(CAUSES)} injected causes, found and ranked first"
SILENT = "explain: datasets without a fault of which one is said to be found"
MEMORY = "explain: injected growth of memory (a leak, copy-on-write of a list and of a dict), reported"
ENDED = "explain: time that a command takes over its budget, the longest"
SEEN = f"explain: of {len(OBSERVED)} injected faults that no change of the loader removes, reported"


def is_found(injected: Injected, ranking: Ranking) -> bool:
    """Return whether the injected cause is said to help, and comes first but for what removes it too."""
    for ranked in ranking.interventions:
        if injected.cause in ranked.cause:
            return ranked.outcome == "helps"
        is_with_it = any(injected.cause in cause or cause in injected.others for cause in ranked.combines)
        if not is_with_it and ranked.cause not in injected.others:
            return False
    return False


def is_seen(injected: Injected, ranking: Ranking) -> bool:
    """Return whether what was injected is reported as seen."""
    return injected.cause in {observation.what for observation in ranking.explanation.observations}


def is_silent(_: Injected, ranking: Ranking) -> bool:
    """Return whether no cause is said to make a difference, but that fewer workers harm, as they do where they wait."""
    return not any(
        ranked.outcome == "helps" or (ranked.outcome == "harms" and ranked.cause not in FEWER_WORKERS)
        for ranked in ranking.interventions
    )


def is_leak(_: Injected, ranking: Ranking) -> bool:
    """Return whether memory is said to grow with every epoch."""
    memory = ranking.explanation.memory
    readings = memory.readings if memory is not None else None
    return readings is not None and memory_growth(readings.pss_bytes).course == "grows"


def is_copied(_: Injected, ranking: Ranking) -> bool:
    """Return whether workers are shown to hold more where the dataset's long lists are no arrays."""
    memory = ranking.explanation.memory
    return memory is not None and len(memory.in_objects) > 0 and copied_bytes(memory).low > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A dataset to explain, the budgets of the tries, and how its ranking is judged: for a goal, by its `what`."""

    what: str
    injected: Injected
    is_right: Callable[[Injected, Ranking], bool]
    budgets: tuple[str, ...] = (FIRST_TRY, USUAL)


CASES = (
    *(Case(what=FIRST, injected=injected, is_right=is_found) for injected in CAUSES),
    Case(what=SILENT, injected=NOTHING, is_right=is_silent, budgets=(USUAL,)),
    Case(what=MEMORY, injected=LEAK, is_right=is_leak),
    *(Case(what=MEMORY, injected=injected, is_right=is_copied) for injected in (COPIED, COPIED_DICT)),
    *(Case(what=SEEN, injected=injected, is_right=is_seen, budgets=(OBSERVING,)) for injected in OBSERVED),
)
LITTLE_CASES = tuple(
    Case(what=what, injected=LITTLE, is_right=is_right, budgets=(SHORT_BUDGET,))
    for what, is_right in ((FIRST, is_found), (SILENT, is_silent), (MEMORY, is_leak), (SEEN, is_seen))
)


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the shares that were found, and the budgets kept; of the short form, all of one explanation."""
    tries: dict[str, list[int]] = {FIRST: [], SILENT: [], MEMORY: [], SEEN: []}
    measured: dict[str, Measured] = {}
    for case in scope.parts(_cases(scope), lambda case: case.injected.cause):
        tries[case.what].append(right_try(case, scope))
        wrong = sum(not number for number in tries[case.what])
        measured[case.what] = Measured(value=wrong) if case.what == SILENT else shares(tries[case.what])
        shares_of_budget = [float(file.read_text()) for file in scope.folder.glob(f"*/{SHARE_OF_BUDGET}")]
        measured[ENDED] = Measured(value=max(shares_of_budget, default=math.nan))
        scope.keep(measured)
    return measured


def _cases(scope: Scope) -> Sequence[Case]:
    return LITTLE_CASES if scope.short else CASES


def right_try(case: Case, scope: Scope) -> int:
    """Return which try was right, from 1 on, each with a larger budget; 0 if none was."""
    for number, budget in enumerate(case.budgets, start=1):
        try:
            if case.is_right(case.injected, explained(case.injected, budget, scope)):
                return number
        except CommandError as error:
            scope.say(str(error))
    return 0


def explained(injected: Injected, budget: str, scope: Scope) -> Ranking:
    """Return what ``loaderbench explain`` ranks, measured once for the scope."""
    out = _out(injected, budget, scope)
    if not out.exists():
        began = perf_counter()
        loaderbench("explain", *injected.arguments, "--budget", budget, "--out", out.name, folder=scope.folder)
        share = (perf_counter() - began) / float(budget.removesuffix("s"))
        (out / SHARE_OF_BUDGET).write_text(str(share))
    return read_ranking(out)


def _out(injected: Injected, budget: str, scope: Scope) -> Path:
    return scope.folder / f"{injected.cause.replace(' ', '-')}-{budget}"


def shares(tries: Sequence[int]) -> Measured:
    """Return the share of `tries` that were right, not 0, and how many of how many; and those right at the first."""
    right, at_first = sum(map(bool, tries)), tries.count(1)
    first = f", {at_first} of them in the first minute" if at_first < right else ""
    return Measured(value=right / len(tries), note=f"{right} of {len(tries)}{first}")


def details(scope: Scope) -> Sequence[Table]:
    """Return what was ranked first for each injected cause, and where there is none, in its last try."""
    columns = (
        Column(label="injected cause"),
        Column(label="ranked first", wide=True),
        Column(label="saves"),
        Column(label="right"),
    )
    rows = [_first_ranked(case, scope) for case in _cases(scope) if case.what in (FIRST, SILENT)]
    return [Table(columns=columns, rows=tuple(rows))]


def _first_ranked(case: Case, scope: Scope) -> tuple[Cell, ...]:
    name = Cell(text=case.injected.cause)
    tried = [budget for budget in case.budgets if (_out(case.injected, budget, scope) / "explain.json").exists()]
    ranking = explained(case.injected, tried[-1], scope) if tried else None
    if ranking is None or not ranking.interventions:
        return (
            name,
            Cell(text="nothing: its command failed", tone="bad"),
            Cell(text=MISSING),
            Cell(text="no", tone="bad"),
        )
    first = ranking.interventions[0]
    is_right = case.is_right(case.injected, ranking)
    tone: Tone = "good" if is_right else "bad"
    saved = f"{percent(first.gain)} ({percent(first.low)} to {percent(first.high)}), {first.blocks} blocks"
    right = Cell(text="yes" if is_right else "no", tone=tone)
    return name, Cell(text=f"{first.cause} ({first.outcome})"), Cell(text=saved), right


TOPIC = Topic(
    name="causes",
    goals=(
        Goal(what=FIRST, unit="share", at_least=1),
        Goal(what=SILENT, unit="", at_most=0),
        Goal(what=MEMORY, unit="share", at_least=1),
        Goal(what=SEEN, unit="share", at_least=1),
        Goal(what=ENDED, unit="ratio", at_most=LATE),
    ),
    measure=measure,
    details=details,
    minutes=20,
)

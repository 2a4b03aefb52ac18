"""Is what ``loaderbench watch`` says of a script right, and what does it cost? Scripts whose waits are known."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from loaderbench.reports.documents.document import Table
from loaderbench.reports.documents.tables import amount, columns, numbers, row
from loaderbench.reports.units import MISSING, quantity
from loaderbench.reports.watch.verdict import Outcome, Reason, judge, worst
from loaderbench.reports.watch.watch_record import Watched
from prove import traceml
from prove.commands import loaderbench, run
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

# A DataLoader itself takes up to 0.4 ms for a batch that costs nothing, after a pause and beside other guests of the
# machine: that is a wait, too, and below a hundredth of such a step.
STEP_S = 0.05
PAUSE_S, STRAGGLER_S = 0.5, 0.5
STEPS, FEW_STEPS = 100, 6
STEPS_OF_COST, SAMPLES_OF_COST, PAIRS = 1000, 1024, 25
TRACEML_STEPS, TRACEML_REPETITIONS = 20_000, 3

# A batch is one sample, made in the script's own process: its wait is what the sample takes.
SCRIPT = """
import sys
import time
from torch.utils.data import DataLoader, Dataset

def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

class Known(Dataset):
    def __init__(self, steps, wait_s, straggler_s=0.0):
        self.steps, self.wait_s, self.straggler_s = steps, wait_s, straggler_s
    def __len__(self):
        return self.steps
    def __getitem__(self, index):
        spin(self.straggler_s if self.straggler_s and index % 20 == 10 else self.wait_s)
        return index

def main(steps, wait_s, step_s, straggler_s=0.0, pause_s=0.0, second_s=0.0):
    first = DataLoader(Known(int(steps), wait_s, straggler_s), batch_size=None)
    others = DataLoader(Known(int(steps), second_s), batch_size=None)
    for epoch in range(2):
        for batch in zip(first, others) if second_s else first:
            spin(step_s)
        time.sleep(pause_s)

if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
"""
# CPU seconds of a step in the script's process, or of all samples of a worker, in pairs of passes: one of each pair is
# watched, the first and the second in turn. All passes are in one process, as processes differ.
COST_SCRIPT = """
import json
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path
import torch
from known import Known
from loaderbench.benches.watch import watch
from torch.utils.data import DataLoader, TensorDataset

def workers_s():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

def cost_of(kind, count, out):
    in_worker = kind == "worker"
    dataset = Known(count, 0.001) if in_worker else TensorDataset(torch.arange(32 * count))
    with nullcontext() if out is None else watch(out):
        loader = iter(DataLoader(dataset, batch_size=32, num_workers=int(in_worker)))
        next(loader)
        began, before_s = time.process_time(), workers_s()
        for batch in loader:
            pass
        took_s = time.process_time() - began
        del loader
        return workers_s() - before_s if in_worker else took_s / (count - 1)

def main(kind, count, pairs):
    costs = []
    for number in range(int(pairs)):
        watched, plain = Path(f"cost-{kind}-{number}"), None
        order = (plain, watched) if number % 2 else (watched, plain)
        of_pair = {out: cost_of(kind, int(count), out) for out in order}
        costs.append((of_pair[plain], of_pair[watched]))
    Path(f"cost-{kind}.json").write_text(json.dumps(costs))

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownScript:
    """Arguments of the script, and what is true of its slowest loader."""

    arguments: tuple[float, ...]  # wait, step, straggler, pause, wait for the second loader; seconds
    share: float
    outcome: Outcome
    reason: Reason = ""
    dataset_line: int = 0  # of the loader that is waited for, counted from the first loader's line


def _steady(share: float) -> KnownScript:
    wait_s = STEP_S * share / (1 - share)
    outcome: Outcome = "bottleneck" if share else "not the bottleneck"
    return KnownScript(arguments=(wait_s, STEP_S), share=share, outcome=outcome, reason="throughput" if share else "")


SCRIPTS: Mapping[str, KnownScript] = {
    **{f"{share:.0%} of each step": _steady(share) for share in (0.0, 0.1, 0.4, 0.8)},
    "a straggler in 20 batches": KnownScript(
        arguments=(0.0, STEP_S, STRAGGLER_S),
        share=STRAGGLER_S / (STRAGGLER_S + 20 * STEP_S),
        outcome="bottleneck",
        reason="slow batches",
    ),
    "10% of each step, and a pause between epochs": KnownScript(
        arguments=(STEP_S / 9, STEP_S, 0.0, PAUSE_S), share=0.1, outcome="bottleneck", reason="throughput"
    ),
    "two loaders, the second one slow": KnownScript(
        arguments=(0.0, STEP_S, 0.0, 0.0, STEP_S * 2 / 3),
        share=0.4,
        outcome="bottleneck",
        reason="throughput",
        dataset_line=1,
    ),
}
WRONG = "watch: verdicts that are wrong, of the loader, the outcome or the reason"
STEP_COST = "watch: CPU time that it adds to a step in the main process, batches of 32"
WORKER_COST = "watch: CPU time that it adds to a worker, samples of 1 ms, batches of 32"


def is_right(watched: Watched, known: KnownScript, first_line: int) -> bool:
    """Return whether the verdict on a script names the right loader, outcome and reason."""
    verdict = worst([judge(loader) for loader in watched.loaders])
    if verdict is None or (verdict.outcome, verdict.reason) != (known.outcome, known.reason):
        return False
    return f":{first_line + known.dataset_line}" in verdict.loader.name or known.outcome == "not the bottleneck"


def error_of(watched: Watched, known: KnownScript) -> float:
    """Return by how much the share of waiting differs from what is known, without sign."""
    verdict = worst([judge(loader) for loader in watched.loaders])
    return float("nan") if verdict is None else abs(verdict.waiting.share - known.share)


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the errors of the shares, how many verdicts are wrong, and what watching costs."""
    (scope.folder / "known.py").write_text(SCRIPT, encoding="utf-8")
    (scope.folder / "cost.py").write_text(COST_SCRIPT, encoding="utf-8")
    first_line = 1 + next(n for n, line in enumerate(SCRIPT.splitlines()) if line.startswith("    first ="))
    measured, wrong = {}, []
    for number, (name, known) in enumerate(SCRIPTS.items()):
        out = scope.folder / f"watch-{number}"
        arguments = map(str, (scope.of(STEPS, FEW_STEPS), *known.arguments))
        loaderbench("watch", "--out", str(out), "known.py", *arguments, folder=scope.folder)
        watched = Watched.read(out)
        measured[_what(name)] = Measured(value=error_of(watched, known))
        wrong += [] if is_right(watched, known, first_line) else [name]
    measured[WRONG] = Measured(value=len(wrong), note=", ".join(wrong))
    added_s, _, note = _cost(scope, "step", scope.of(STEPS_OF_COST, 100))
    measured[STEP_COST] = Measured(value=max(0.0, added_s), note=note)
    added_s, plain_s, note = _cost(scope, "worker", scope.of(SAMPLES_OF_COST, 100))
    measured[WORKER_COST] = Measured(value=max(0.0, added_s / plain_s), note=note)
    return measured


def _what(name: str) -> str:
    return f"watch: waiting, {name}, off the known share by"


def _cost(scope: Scope, kind: str, count: int) -> tuple[float, float, str]:
    """Return the median CPU seconds that a watch adds in pairs of passes, the median without, and the spread."""
    pairs = scope.of(PAIRS, 2)
    run(sys.executable, "cost.py", kind, str(count), str(pairs), folder=scope.folder)
    costs = json.loads((scope.folder / f"cost-{kind}.json").read_text(encoding="utf-8"))
    added_s, plain_s = [watched - plain for plain, watched in costs], [plain for plain, _ in costs]
    low, _, high = quantiles(added_s, n=4)
    spread = " to ".join(quantity(end, "s") for end in (low, high))
    return (
        median(added_s),
        median(plain_s),
        f"half of {pairs} pairs within {spread}, of {quantity(median(plain_s), 's')}",
    )


def details(scope: Scope) -> Sequence[Table]:
    """Return each script's share of waiting as it is known, as the watch has it, and as TraceML has it."""
    fault = "" if traceml.is_installed() else "TraceML is not installed"
    if not fault:
        (scope.folder / "known_traceml.py").write_text(traceml.with_steps(SCRIPT), encoding="utf-8")
    rows = []
    for number, (name, known) in enumerate(SCRIPTS.items()):
        verdict = worst([judge(loader) for loader in Watched.read(scope.folder / f"watch-{number}").loaders])
        arguments = list(map(str, (scope.of(STEPS, FEW_STEPS), *known.arguments)))
        theirs, words = (
            (None, fault) if fault else traceml.answer("known_traceml.py", arguments, scope.folder, f"known-{number}")
        )
        ours = verdict.waiting.share if verdict else None
        shares = (amount(share, "share") for share in (known.share, ours, theirs))
        rows.append(row(name, *shares, verdict.outcome if verdict else MISSING, words))
    cost = (
        None
        if fault
        else traceml.step_cost(scope.folder, scope.of(TRACEML_STEPS, 100), scope.of(TRACEML_REPETITIONS, 1))
    )
    named = (*columns("script"), *numbers("known", "watch", "TraceML"), *columns("watch says", "TraceML says"))
    costs = (*columns("what"), *numbers("TraceML"), *columns(""))
    added = row("CPU time that it adds to a step, batches of 32", amount(cost, "s"), fault)
    return Table(columns=named, rows=tuple(rows)), Table(columns=costs, rows=(added,))


TOPIC = Topic(
    name="watch",
    goals=(
        *(Goal(what=_what(name), unit="share", at_most=0.02) for name in SCRIPTS),
        Goal(what=WRONG, unit="", at_most=0),
        Goal(what=STEP_COST, unit="s", at_most=50e-6),
        Goal(what=WORKER_COST, unit="share", at_most=0.01),
    ),
    measure=measure,
    details=details,
    minutes=10,
)

"""Do reports and the history stay quick as they grow?

Synthetic runs; each command in a fresh process, imports and all. *Report* is from ``run.json`` to all outputs on disk,
with the highest resident memory of its process. *Add* is one run of 10 000 cases with 10 rounds each; *show* is one
case of 100 in a history of 1000 runs. The database is SQLite on disk. A *huge dataset* has 3.5·10^9 samples, whose
order alone would take 28 GB; its whole run is timed.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

from loaderbench.datasets.validation import check_dataset
from prove.commands import ROOT, loaderbench, run
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

sys.path.append(str(ROOT / "tests" / "support"))  # the made-up runs of the tests
import made_up_runs  # type: ignore[import-not-found]

REPORT = """
import resource, sys
from loaderbench.benches.cli.main import main
code = main(["report", sys.argv[1], "--out", sys.argv[2]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(code)
"""
HUGE = """
class Huge:
    def __len__(self):
        return 3_500_000_000
    def __getitem__(self, index):
        return float(index)
"""
RUN_HUGE = """
import resource, sys
from loaderbench.benches.cli.main import main
case = ["--batch-size", "32", "--num-workers", "0", "--pass-time", "250ms", "--rounds", "1"]
code = main(["run", "--dataset", "huge:Huge", "-k", "bench_epoch", *case, "-q"])
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(max(peaks) * (1 if sys.platform == "darwin" else 1024))
sys.exit(code)
"""
IMPORT = (
    "import loaderbench.benches.cli.main, loaderbench.reports.history.queries, "
    "loaderbench.reports.documents.history_document"
)
SIZES = ((100, 10), (1_000, 10), (1_000, 100), (10_000, 10))  # cases, rounds
SECONDS = "report: 100 000 case-rounds, from run.json to all outputs"
MEMORY = "report: 100 000 case-rounds, highest resident memory"
ADD = "history: adding a run of 100 000 case-rounds"
SHOW = "history: showing one of 100 cases of 1000 runs, beyond its imports"
HUGE_S = "run: one case of a dataset of 3.5·10^9 samples"
HUGE_MEMORY = "run: one case of a dataset of 3.5·10^9 samples, highest resident memory of a process"
CHECK = "check: the properties of a dataset of 10^15 samples"


class Endless:
    """A dataset of 10^15 samples."""

    def __len__(self) -> int:
        return 10**15

    def __getitem__(self, index: int) -> int:
        return range(len(self))[index]


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the seconds and the memory of the largest of each."""
    sizes = SIZES[: scope.of(len(SIZES), 1)]
    reports = {size: _report(scope, *size) for size in sizes}
    seconds, peak_bytes = reports[sizes[-1]]
    began = perf_counter()
    check_dataset(Endless())
    checked_s = perf_counter() - began
    smaller = ", ".join(f"{cases * rounds}: {reports[cases, rounds][0]:.1f} s" for cases, rounds in sizes[:-1])
    return {
        SECONDS: Measured(value=seconds, note=smaller),
        MEMORY: Measured(value=peak_bytes),
        **_history(scope),
        CHECK: Measured(value=checked_s),
        **_huge(scope),
    }


def _huge(scope: Scope) -> dict[str, Measured]:
    (scope.folder / "huge.py").write_text(HUGE)
    began = perf_counter()
    output = run(sys.executable, "-c", RUN_HUGE, folder=scope.folder)
    taken_s = perf_counter() - began
    return {HUGE_S: Measured(value=taken_s), HUGE_MEMORY: Measured(value=int(output.splitlines()[-1]))}


def _report(scope: Scope, cases: int, rounds: int) -> tuple[float, int]:
    """Return the median seconds of a report, and its highest resident memory in bytes."""
    folder = scope.folder / f"{cases}x{rounds}"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(made_up_runs.Synthetic().epochs(cases, rounds)))
    taken, peaks = [], []
    is_largest = (cases, rounds) == SIZES[-1]
    for number in range(scope.of(3 if is_largest else 1, 1)):
        began = perf_counter()
        output = run(sys.executable, "-c", REPORT, str(folder), f"out{number}", folder=folder)
        taken.append(perf_counter() - began)
        peaks.append(int(output.splitlines()[-1]))
    return median(taken), max(peaks)


def _history(scope: Scope) -> dict[str, Measured]:
    folder = scope.folder / "history"
    folder.mkdir()
    cases, runs = scope.of(10_000, 10), scope.of(1000, 5)
    (folder / "run.json").write_text(json.dumps(made_up_runs.Synthetic().epochs(cases, 10)))
    add_s = _seconds(folder, "history", "add", "run.json", "--db", "one.sqlite")
    for number in range(runs):
        (folder / f"{number}.json").write_text(json.dumps(made_up_runs.run_of_trunk(number, cases=min(100, cases))))
    files = [f"{number}.json" for number in range(runs)]
    loaderbench("history", "add", *files, "--db", "many.sqlite", folder=folder)
    case = f"bench_epoch[images-workers={min(100, cases) // 2}]"
    show_s = min(_seconds(folder, "history", "show", case, "--db", "many.sqlite") for _ in range(scope.of(3, 1)))
    began = perf_counter()
    run(sys.executable, "-c", IMPORT, folder=folder)
    imports_s = perf_counter() - began
    return {ADD: Measured(value=add_s), SHOW: Measured(value=show_s - imports_s)}


def _seconds(folder: Path, *arguments: str) -> float:
    began = perf_counter()
    loaderbench(*arguments, folder=folder)
    return perf_counter() - began


TOPIC = Topic(
    name="scale",
    goals=(
        Goal(what=SECONDS, unit="s", at_most=10),
        Goal(what=MEMORY, unit="bytes", at_most=1e9),
        Goal(what=ADD, unit="s", at_most=60),
        Goal(what=SHOW, unit="s", at_most=1),
        Goal(what=CHECK, unit="s", at_most=1),
        Goal(what=HUGE_S, unit="s", at_most=20),
        Goal(what=HUGE_MEMORY, unit="bytes", at_most=1.5e9),
    ),
    measure=measure,
    minutes=6,
)

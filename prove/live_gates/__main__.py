"""Whole gates on this machine: an old revision of the gate and this one in turns, beside the tools that others use.

    python -m prove.live_gates --old a28dcdc                   # 30 minutes, in runs/live-gates
    python -m prove.live_gates --old a28dcdc --minutes 120     # continue, for two hours more
    python -m prove.live_gates --table                         # the table of what was measured so far
    python -m prove.live_gates --old a28dcdc --asv /tmp/asv/bin/asv --noise quiet

Eight cases of bench_epoch (text and images, 0 and 2 workers, two batch sizes) of identical code, and of samples that
take 5 % and 10 % longer; on the machine as it is, and beside ``python -m prove.bursts``. A line of answers.csv for each
case is written when a run has ended; Ctrl-C loses the run that is under way, and the same command goes on. asv needs an
environment of its own: ``python -m venv /tmp/asv && /tmp/asv/bin/pip install asv virtualenv``.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from loaderbench.benches.gate.measuring import terminated_as_interrupted
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.terminal import print_document
from loaderbench.reports.units import duration
from prove.live_gates import repository, results, tools
from prove.live_gates.schedule import BURSTS, QUESTIONS, QUIET, runs, still_to_do
from prove.live_gates.servers import servers_share

FOLDER = Path("runs/live-gates")
OLD, NEW, PYTEST, ASV = "old gate", "gate", "pytest-benchmark", "asv"


def main() -> int:
    """Measure until the time is over or Ctrl-C, and print the table."""
    options = _options()
    file = options.folder / "answers.csv"
    if not options.table:
        try:
            with terminated_as_interrupted():
                _measure(options, file)
        except KeyboardInterrupt:
            print("interrupted: the run under way is lost, and the same command goes on", file=sys.stderr)
    answers = results.read(file)
    identical = list(_identical_gates(options.folder, answers))
    held = results.covered(identical)
    about = (
        f"base, head and answers in {options.folder}",
        f"identical code: {held.count} of {held.of} 95 % intervals hold 0",
        servers_share(identical).text,
    )
    table = results.document(answers, about)
    print_document(table)
    (options.folder / "table.md").write_text(markdown(table), encoding="utf-8")
    return 0


def _identical_gates(folder: Path, answers: Sequence[results.Answer]) -> Iterator[dict[str, Any]]:
    """Yield what this gate measured of identical code."""
    names = {answer.run for answer in answers if answer.tool == NEW and answer.question.startswith("same")}
    for file in (folder / "runs" / name / "verdict.json" for name in sorted(names)):
        if file.exists():
            yield json.loads(file.read_text(encoding="utf-8"))


def _measure(options: argparse.Namespace, file: Path) -> None:
    place = tools.Workplace(folder=options.folder, asv=options.asv)
    if not place.cases.exists():
        repository.make(place.cases)
    contestants: dict[str, tools.Tool] = {
        **({OLD: partial(tools.gate, revision=options.old)} if options.old else {}),
        NEW: partial(tools.gate, revision=options.new),
        **({PYTEST: tools.pytest_benchmark} if not options.gates_only else {}),
        **({ASV: tools.asv_continuous} if options.asv else {}),
    }
    questions = [question for question in QUESTIONS if question.name in options.questions]
    order = runs(options.noise, tuple(contestants), questions, seed=options.seed)
    done = {answer.run for answer in results.read(file)}
    until = time.monotonic() + 60 * options.minutes
    for run in still_to_do(order, tuple(done)):
        if time.monotonic() >= until:
            return
        print(f"{time.strftime('%H:%M:%S')}  {run.name}, {duration(until - time.monotonic())} left", flush=True)
        answers = tools.answered(place, run, contestants)
        results.append(file, answers)
        for answer in answers:
            if answer.fault:
                print(f"          failed: {answer.fault}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m prove.live_gates", description="Whole gates on this machine.")
    parser.add_argument("--old", metavar="REV", default="", help="a revision of this repository, whose gate takes part")
    parser.add_argument("--new", metavar="REV", default="", help="the gate that is proven (default: as it stands)")
    parser.add_argument("--minutes", type=float, default=30.0, help="no run begins after these (default: 30)")
    parser.add_argument("--noise", nargs="+", choices=(QUIET, BURSTS), default=[QUIET, BURSTS])
    names = [question.name for question in QUESTIONS]
    parser.add_argument("--questions", nargs="+", choices=names, default=names)
    parser.add_argument("--asv", metavar="PROGRAM", default="", help="takes part, if it is given")
    parser.add_argument("--gates-only", action="store_true", help="without pytest-benchmark")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"default: {FOLDER}")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

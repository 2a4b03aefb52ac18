"""``loaderbench gate``: did this change make data loading slower?"""

import argparse
import random
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaderbench.benches.cli.shared import common_options, output
from loaderbench.benches.cli.shared.verdict_options import add_verdict_arguments, publish_comparison, setup_of
from loaderbench.benches.gate.blocks import BlockRunner
from loaderbench.benches.gate.fork_server import ForkServers
from loaderbench.benches.gate.revisions import NAMES, Revision, RevisionRequest, prepared
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.session.record import RUNS, now
from loaderbench.benches.harness.system.interruption import Interruption

# pandas and scipy take a second to import, which other commands need not wait for: functions import what they need.
if TYPE_CHECKING:
    from loaderbench.reports.gate.comparison import Comparison, Reliability
    from loaderbench.reports.gate.sequential import SequentialTest

HELP = "compare two revisions, interpreters or settings: did data loading become slower?"
EXAMPLE = "gate --base origin/main --dataset my.data:Train --num-workers 0,2 -k bench_epoch"
PYTEST_OPTIONS = "unknown"

BUDGET_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; all others are the benches' own (--dataset, --num-workers, -k …)."""
    compared = parser.add_argument_group("what is compared")
    compared.add_argument("--base", metavar="REV", default="", help="the git revision to compare with")
    tree = "the git revision that is judged (default: the working tree, uncommitted changes too)"
    compared.add_argument("--head", metavar="REV", default="", help=tree)
    for name, settings in (("base", "num_workers=2,batch_size=64"), ("head", "num_workers=4,batch_size=64")):
        interpreter = "an interpreter with loaderbench installed"
        compared.add_argument(f"--{name}-python", metavar="PATH", default="", help=interpreter)
        compared.add_argument(
            f"--{name}-settings", metavar="LIST", default="", help=f"settings of {name} alone, such as {settings}"
        )
    setup = "a command to run in each worktree first, to build what must be built"
    compared.add_argument("--setup", metavar="CMD", default="", help=setup)
    add_verdict_arguments(parser)
    unfixed = "do not fix the allocator, threads and placement of the processes"
    parser.add_argument("--as-is", action="store_true", help=unfixed)
    common_options.add_budget(parser, BUDGET_S, "; worktrees and --setup are not counted")
    common_options.add_seed(parser)
    calibration = "a calibration.json that says how often the gate errs here (default: the newest in runs/)"
    parser.add_argument("--calibration", type=Path, metavar="FILE", help=calibration)
    common_options.add_out(parser, "gate")


def run(options: argparse.Namespace) -> int:
    """Measure base and head in turns, judge them, write the verdict, and return the exit code."""
    from loaderbench.benches.gate.measuring import terminated_as_interrupted
    from loaderbench.reports.gate.outputs.verdict_file import FILE_NAME

    base, head = requests(options)
    if not (base.revision or base.python != head.python or base.settings != head.settings):
        raise RefusedError("name what to compare: --base REV, --base-python PATH or --base-settings LIST (or head's)")
    if not base.revision and (head.revision or options.setup):
        needs_base = "--head" if head.revision else "--setup"
        raise RefusedError(f"{needs_base} needs --base REV: only then are there worktrees")
    folder = output.new_folder("gate", options.out, result=FILE_NAME)
    seed = common_options.seed_of(options)
    with terminated_as_interrupted(), Interruption() as interruption:
        comparison = _measured(options, base, head, folder, seed, interruption)
        return publish_comparison(comparison, folder)


def requests(options: argparse.Namespace) -> tuple[RevisionRequest, RevisionRequest]:
    """Return base and head as the command line names them."""
    base, head = (
        RevisionRequest(
            name=name,
            revision=getattr(options, name),
            python=getattr(options, f"{name}_python"),
            settings=getattr(options, f"{name}_settings"),
        )
        for name in NAMES
    )
    return base, head


def _measured(
    options: argparse.Namespace,
    base: RevisionRequest,
    head: RevisionRequest,
    folder: Path,
    seed: int,
    interruption: Interruption,
) -> "Comparison":
    """Measure while the budget lasts; Ctrl-C, or SIGTERM, ends that earlier, and what was measured is judged.

    Once measuring has ended, Ctrl-C ends nothing: the result is written first.
    """
    from loaderbench.benches.gate.measuring import measure
    from loaderbench.reports.gate.comparison import of_test
    from loaderbench.reports.gate.plan import Plan
    from loaderbench.reports.gate.sequential import SequentialTest
    from loaderbench.reports.units import duration

    began, started = time.monotonic(), now().isoformat()
    plan = Plan(margin=options.margin, budget_s=options.budget)
    test = SequentialTest(plan=plan, started_s=began - options.began)
    with prepared(base, head, options.setup) as revisions, ForkServers() as servers:
        prepared_s = time.monotonic() - began
        with Progress.of_budget(max(0.0, options.budget - test.spent_s)) as progress:
            differing = {*base.pairs, *head.pairs}
            runner = _runner(options, revisions, differing, folder, seed, interruption, servers, progress)
            progress.say(f"at most {duration(options.budget)}; the third block shows what that settles here")
            progress.describe("the first block")
            blocks = measure(test, runner, interruption, lambda test: _show(test, progress))
            is_interrupted = interruption.happened
            progress.finish(is_whole=not is_interrupted)
    machine = blocks[0]["machine"]
    setup = setup_of(
        options,
        kind="gate",
        base=revisions[0].label,
        head=revisions[1].label,
        seed=seed,
        fixed_environment=runner.fixed_environment,
        started=started,
        prepared_s=prepared_s,
        machine=machine,
        reliability=_reliability(options.calibration, machine),
    )
    matching = runner.matching
    return of_test(test, blocks, setup, new=matching.new, gone=matching.gone, is_interrupted=is_interrupted)


def _show(test: "SequentialTest", progress: Progress) -> None:
    """Show where the test stands, and once, when its third block has ended, what the budget will settle."""
    from loaderbench.reports.gate.outputs.sentences import outlook, standing

    if test.blocks == test.plan.first_analysis and (forecast := test.forecast):
        progress.say(outlook(forecast))
    progress.describe(standing(test))


def _runner(
    options: argparse.Namespace,
    revisions: tuple[Revision, Revision],
    differing: Collection[str],
    folder: Path,
    seed: int,
    interruption: Interruption,
    servers: ForkServers,
    progress: Progress,
) -> BlockRunner:
    """Return what measures the blocks; the revisions differ in the settings `differing` on purpose."""

    def on_turn() -> None:
        interruption.check()
        progress.tick()

    return BlockRunner(
        revisions=revisions,
        options=options.pytest_options,
        folder=folder / "blocks",
        rng=random.Random(seed),  # noqa: S311 - an order, not a secret
        fixed_environment=not options.as_is,
        differing=frozenset(differing),
        on_turn=on_turn,
        servers=servers,
    )


def _reliability(file: Path | None, machine: Mapping[str, Any]) -> "Reliability | None":
    """Return what is known of the gate on a machine like this one; a file that cannot be read is passed over."""
    from loaderbench.reports.gate.calibration.gate_calibration import reliability_on
    from loaderbench.reports.records.json_files import MalformedError

    file = file or max(RUNS.glob("*/calibration.json"), default=None, key=lambda path: path.stat().st_mtime)
    try:
        return reliability_on(machine, file) if file else None
    except MalformedError as fault:
        output.complain(f"{file} is passed over: {fault}")
        return None

"""``loaderbench calibrate``: how often does the gate err on this machine, and how long does it take to see a change?"""

import argparse
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loaderbench.benches.cli.shared import common_options, option_types, output
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.reports.vocabulary import ExitCode

if TYPE_CHECKING:
    from loaderbench.benches.gate.injected_regressions import InjectedRegression
    from loaderbench.reports.gate.calibration.gate_calibration import GateCalibration
    from loaderbench.reports.gate.plan import Plan

HELP = "measure the gate itself on this machine: false alarms, what it finds, how long that takes"
EXAMPLE = "calibrate --budget 30m"

BUDGET_S = 1800.0
DRAWS, FEWEST_DRAWS = 125, 2
BLOCKS_SHARE = 0.8  # of the budget, for what is measured; the rest is for the replayed gates
SIZES_SHARE = 0.1  # of the budget, within that
INTERRUPTED_S = 15.0  # for the replayed gates, where the user waits for the command to end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    common_options.add_budget(parser, None, "; whole gates are not counted (default: 30m, with --again none)")
    load = "also measure blocks with a background load on one of the revisions"
    parser.add_argument("--loaded", action="store_true", help=load)
    identical = "also measure N whole gates on identical code, 2 min each, at a margin of 5 %%"
    parser.add_argument("--gates", type=option_types.whole(), metavar="N", default=0, help=identical)
    slower = "also measure N whole gates on code made 10 %% slower, 1 min each, and N on 5 %% slower, 2.5 min each"
    parser.add_argument("--injected", type=option_types.whole(), metavar="N", default=0, help=slower)
    faults = "also measure a whole gate on each of four faults that users have met, 5 min each"
    parser.add_argument("--faults", action="store_true", help=faults)
    draws = f"gates replayed on the recorded blocks (default: {DRAWS}; fewer where the budget is spent)"
    parser.add_argument("--draws", type=option_types.whole(1), metavar="N", default=DRAWS, help=draws)
    common_options.add_seed(parser)
    again = "continue an earlier calibration, and compute it again"
    parser.add_argument("--again", type=Path, metavar="DIR", help=again)
    common_options.add_out(parser, "calibration")


def run(options: argparse.Namespace) -> int:
    """Measure what was asked for, compute the calibration, write and print it, and return the exit code."""
    from loaderbench.reports.gate.calibration.gate_calibration import ABOUT, BLOCKS

    if options.again and options.out:
        raise RefusedError("--again goes on in the folder of the earlier calibration: leave --out away")
    folder = options.again or output.new_folder("calibration", options.out)
    if options.again and not (folder / ABOUT).exists():
        raise RefusedError(f"--again {folder}: no calibration is there ({ABOUT} is missing)")
    if not options.again and folder.exists():
        raise RefusedError(f"--out {folder} is there already: go on with it by --again {folder}, or name a new folder")
    budget_s = options.budget or (0.0 if options.again else BUDGET_S)
    gates = _gates(options)
    if not (budget_s or gates):  # the earlier calibration is only computed again
        return _publish(folder, options.draws)
    try:
        _measure(options, folder, budget_s, gates)
    except KeyboardInterrupt:
        output.complain(f"interrupted; what was measured is kept: loaderbench calibrate --again {folder}")
        if (folder / BLOCKS).exists():
            _publish(folder, options.draws, within_s=INTERRUPTED_S)
        return ExitCode.INTERRUPTED
    if not (gates or (folder / BLOCKS).exists()):
        raise RefusedError(f"the budget of {budget_s:g} s is too short for one block: raise it")
    whole_s = sum(plan.budget_s for _, plan in gates)
    return _publish(folder, options.draws, within_s=options.began + budget_s + whole_s - time.monotonic())


def _measure(
    options: argparse.Namespace, folder: Path, budget_s: float, gates: "Sequence[tuple[InjectedRegression, Plan]]"
) -> None:
    from loaderbench.benches.gate import injected_regressions as injected
    from loaderbench.benches.gate.calibration_runner import CalibrationRunner
    from loaderbench.benches.gate.fork_server import ForkServers
    from loaderbench.benches.gate.measuring import terminated_as_interrupted

    regressions = (*injected.REGRESSIONS, *(injected.WITH_LOAD if options.loaded else ()))
    seed = common_options.seed_of(options)
    whole_s = sum(plan.budget_s for _, plan in gates)
    with (
        terminated_as_interrupted(),
        Interruption() as interruption,
        Progress.of_budget(budget_s + whole_s) as progress,
        ForkServers() as servers,
    ):
        rng = random.Random(seed)  # noqa: S311 - an order, not a secret
        runner = CalibrationRunner(
            folder=folder, rng=rng, progress=progress, interruption=interruption, servers=servers
        )
        if not options.again:
            runner.begin(seed)
            injected_alone = [entry for entry in regressions if entry.expected and not entry.with_load]
            runner.sizes(injected_alone, within_s=SIZES_SHARE * budget_s)
        if budget_s:
            runner.blocks(regressions, BLOCKS_SHARE * budget_s - (time.monotonic() - options.began))
        for regression, plan in gates:
            runner.gate(regression, plan)


def _gates(options: argparse.Namespace) -> "list[tuple[InjectedRegression, Plan]]":
    """Return the whole gates that were asked for, each with its plan."""
    from loaderbench.benches.gate import injected_regressions as injected
    from loaderbench.reports.gate.calibration.gate_calibration import plans_of

    gates = [*injected.FAULTS] if options.faults else []
    for number in range(max(options.gates, options.injected)):
        if number < options.gates:
            gates.append(injected.IDENTICAL)
        if number < options.injected:
            gates += [injected.SLOWER_10, injected.SLOWER_5]
    return [(regression, plans_of(regression.expected, regression.budget_s)[0]) for regression in gates]


def _publish(folder: Path, draws: int, *, within_s: float = math.inf) -> ExitCode:
    """Compute the calibration by `draws` gates a row, or as many as are replayed within so many seconds; write it."""
    from loaderbench.reports.documents import calibration_document as documents
    from loaderbench.reports.gate.calibration.gate_calibration import FILE_NAME

    began = time.monotonic()
    calibration = _computed(folder, min(draws, FEWEST_DRAWS) if within_s < math.inf else draws)
    replay_s = (time.monotonic() - began) / FEWEST_DRAWS
    if within_s < math.inf and (affordable := min(draws, int(within_s / replay_s) - FEWEST_DRAWS)) > FEWEST_DRAWS:
        calibration = _computed(folder, affordable)
    document = documents.calibration_document(calibration)
    output.publish(document, folder, stem="calibration", data=[(FILE_NAME, calibration.encode())])
    return ExitCode.FINE


def _computed(folder: Path, draws: int) -> "GateCalibration":
    from loaderbench.reports.gate.calibration.gate_calibration import read_folder
    from loaderbench.reports.records.json_files import MalformedError

    try:
        return read_folder(folder, draws)
    except MalformedError as fault:
        raise RefusedError(f"{folder}: what was recorded cannot be read: {fault}") from None

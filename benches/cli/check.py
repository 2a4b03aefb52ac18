"""``loaderbench check``: what a loader will need, and what the machine has, before anything runs."""

import argparse

from loaderbench.benches.cli.shared import output
from loaderbench.benches.cli.shared.loader_options import add_loader, loader_of
from loaderbench.reports.vocabulary import ExitCode

HELP = "find what would crash before anything runs: shared memory, descriptors, memory, CPUs, pickle, streams, imports"
EXAMPLE = "check --dataset my.data:Train --num-workers 16 --batch-size 256 --start-method spawn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_loader(parser)


def run(options: argparse.Namespace) -> int:
    """Show every need and its limit; return 0, or 1 where the loader would crash or be wrong."""
    from loaderbench.benches.check.loader_demand import demand_of, limits
    from loaderbench.reports.check.preflight import findings
    from loaderbench.reports.documents.check_document import check_document, wrong
    from loaderbench.reports.render.terminal import print_document

    with output.prints_to_stderr():
        needs = list(findings(demand_of(*loader_of(options)), limits()))
    print_document(check_document(needs))
    return ExitCode.BAD_ANSWER if wrong(needs) else ExitCode.FINE

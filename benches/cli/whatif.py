"""``loaderbench whatif``: what other workers, batches, CPUs, devices or storage would give."""

import argparse
import sys
from itertools import product
from time import monotonic
from typing import TYPE_CHECKING

from loaderbench.benches.cli import options as shared
from loaderbench.benches.cli import output

if TYPE_CHECKING:
    from loaderbench.reports.explain.prediction import Question

HELP = "predict other workers, batches, CPUs, devices or storage, simulated from this loader's own costs"
EXAMPLE = "whatif --dataset my.data:Train --step 20ms --cpus 2,16,64 --ranks 1,8 --num-workers 0,2,4,8"

BUDGET_S = 60.0
REPORT_S = 4.0  # of the budget, to predict and to write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add(parser, "dataset", "dataset_args", "collate_fn", "samples", "prefetch_factor", required=("dataset",))
    shared.add_lists(parser, num_workers=(0, 1, 2, 4, 8), batch_size=(32,))
    for option, read, default, help_text in (
        ("--cpus", shared.number(0.1), (), "CPUs of the machine (default: this one's)"),
        ("--ranks", shared.whole(1), (1,), "devices, each with a loader of its own (default: 1)"),
    ):
        parser.add_argument(option, type=shared.comma_list(read), default=default, metavar="LIST", help=help_text)
    for option, read, metavar, help_text in (
        ("--step", shared.time, "TIME", "what the step of a device takes, such as 20ms"),
        ("--storage", shared.size, "SIZE", "bytes a second that all readers share, such as 2GB"),
        ("--sample-bytes", shared.size, "SIZE", "what a sample reads there, such as 150kB"),
    ):
        parser.add_argument(option, type=read, default=0, metavar=metavar, help=help_text)
    budget = "what all of it may take, such as 30s or 5m (default: 1m)"
    parser.add_argument("--budget", type=shared.time, default=BUDGET_S, metavar="TIME", help=budget)
    shared.add_seed(parser)
    shared.add_out(parser, "whatif")


def run(options: argparse.Namespace) -> int:
    """Measure, predict, write and show it; return 0, or 130 where it was interrupted."""
    began = monotonic()
    import msgspec

    from loaderbench.benches.explain.whatif import whatif
    from loaderbench.benches.harness.subject import DatasetChoice, collate_fn
    from loaderbench.reports.documents.whatif import whatif_document
    from loaderbench.reports.explain.whatif_record import FILE

    folder = output.new_folder("whatif", options.out)
    samples = "all" if options.samples == "auto" else options.samples  # a pass reads as many as there is time for
    subject = DatasetChoice(dataset_args=options.dataset_args, samples=samples).subject(options.dataset)
    predicted = whatif(
        subject,
        collate_fn(options.collate_fn or subject.collate_fns[0]),
        _question(options),
        budget_s=options.budget - (monotonic() - began) - REPORT_S,
        seed=shared.seed_of(options),
        command=("loaderbench", *sys.argv[1:]),
    )
    data = [(FILE, msgspec.json.format(msgspec.json.encode(predicted), indent=1))]
    output.publish(whatif_document(predicted), folder, stem="whatif", data=data)
    return output.INTERRUPTED if predicted.interrupted else 0


def _question(options: argparse.Namespace) -> "Question":
    """Return every combination of the ranks, CPUs and workers that are asked about."""
    from loaderbench.benches.harness.system.machine import usable_cpus
    from loaderbench.reports.explain.prediction import Question
    from loaderbench.reports.explain.simulation import Scenario

    scenarios = (
        Scenario(
            num_workers=workers,
            cpus=cpus,
            ranks=ranks,
            step_s=options.step,
            prefetch_factor=options.prefetch_factor,
            storage_bytes_per_s=options.storage or None,
        )
        for ranks, cpus, workers in product(options.ranks, options.cpus or (usable_cpus(),), options.num_workers)
    )
    return Question(scenarios=tuple(scenarios), batch_sizes=options.batch_size, sample_bytes=options.sample_bytes)

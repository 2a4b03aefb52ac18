"""``loaderbench check``: what a loader will need, and what the machine has, before anything runs."""

import argparse
from typing import TYPE_CHECKING

from loaderbench.benches.cli import options as shared

if TYPE_CHECKING:
    from loaderbench.benches.harness.loader import LoaderConfig
    from loaderbench.benches.harness.subject import Subject

HELP = "check what would crash before anything runs: shared memory, descriptors, memory, CPUs, pickle, streams, imports"
EXAMPLE = "check --dataset my.data:Train --num-workers 16 --batch-size 256 --start-method spawn"

LOADER = (
    "collate_fn", "batch_size", "drop_last", "sampler", "batch_sampler", "num_workers", "worker_init_fn",
    "prefetch_factor", "start_method", "loader_timeout",
)  # fmt: skip
NUM_WORKERS = 2  # a loader without workers has little to be checked or explained
WRONG = 1  # exit code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_loader(parser)


def add_loader(parser: argparse.ArgumentParser, *others: str) -> None:
    """Declare one loader: its dataset, its collate function, its arguments and `others`."""
    names = ("dataset", "dataset_args", *LOADER, *others)
    shared.add(parser, *names, required=("dataset",), defaults={"num_workers": NUM_WORKERS, "device": None})


def loader_of(subject: "Subject", options: argparse.Namespace) -> "tuple[Subject, LoaderConfig]":
    """Return the loader that the options declared by `add_loader` describe, and the dataset to build it over."""
    from loaderbench.benches.harness.case_loader import case_loader
    from loaderbench.benches.harness.options import loader_timeout_s

    settings = {**vars(options), "drop_last": options.drop_last and options.batch_size is not None}
    return case_loader(subject, settings, seed=0, timeout_s=loader_timeout_s(options.loader_timeout))


def run(options: argparse.Namespace) -> int:
    """Show every need and its limit; return 0, or 1 where the loader would crash or be wrong."""
    from loaderbench.benches.explain.check import demand_of, limits
    from loaderbench.benches.harness.subject import DatasetChoice
    from loaderbench.reports.documents.check import check_document, wrong
    from loaderbench.reports.explain.preflight import findings
    from loaderbench.reports.render.terminal import print_document

    subject = DatasetChoice(dataset_args=options.dataset_args, samples="all").subject(options.dataset)
    needs = list(findings(demand_of(*loader_of(subject, options)), limits()))
    print_document(check_document(needs))
    return WRONG if wrong(needs) else 0

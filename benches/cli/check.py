"""``loaderbench check``: what a loader will need, and what the machine has, before anything runs."""

import argparse
from typing import TYPE_CHECKING

from loaderbench.benches.cli import options as shared

if TYPE_CHECKING:
    from loaderbench.benches.harness.loader import LoaderConfig
    from loaderbench.benches.harness.subject import Subject

HELP = "check what would crash before anything runs: shared memory, descriptors, memory, CPUs, pickle, streams"
EXAMPLE = "check --dataset my.data:Train --num-workers 16 --batch-size 256 --start-method spawn"

LOADER = ("batch_size", "num_workers", "prefetch_factor", "start_method")
NUM_WORKERS = 2  # a loader without workers has little to be checked or explained
WRONG = 1  # exit code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_loader(parser)


def add_loader(parser: argparse.ArgumentParser, *others: str) -> None:
    """Declare one loader: its dataset, its collate function, its arguments and `others`."""
    names = ("dataset", "dataset_args", "collate_fn", *LOADER, *others)
    shared.add(parser, *names, required=("dataset",), defaults={"num_workers": NUM_WORKERS, "device": None})


def loader_of(subject: "Subject", options: argparse.Namespace) -> "LoaderConfig":
    """Return the loader that the options declared by `add_loader` describe."""
    from loaderbench.benches.explain.loaders import loader_config
    from loaderbench.benches.harness.subject import collate_fn

    return loader_config(
        num_workers=options.num_workers,
        batch_size=options.batch_size,
        collate_fn=collate_fn(options.collate_fn or subject.collate_fns[0]),
        shuffle=not subject.is_stream,
        prefetch_factor=options.prefetch_factor,
        multiprocessing_context=options.start_method,
        persistent_workers=getattr(options, "persistent_workers", False),
        pin_memory=getattr(options, "pin_memory", False),
    )


def run(options: argparse.Namespace) -> int:
    """Show every need and its limit; return 0, or 1 where the loader would crash or be wrong."""
    from loaderbench.benches.explain.check import demand_of, limits
    from loaderbench.benches.harness.subject import DatasetChoice
    from loaderbench.reports.documents.check import check_document, wrong
    from loaderbench.reports.explain.preflight import findings
    from loaderbench.reports.render.terminal import print_document

    subject = DatasetChoice(dataset_args=options.dataset_args, samples="all").subject(options.dataset)
    needs = list(findings(demand_of(subject, loader_of(subject, options)), limits()))
    print_document(check_document(needs))
    return WRONG if wrong(needs) else 0

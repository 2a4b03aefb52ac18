"""``loaderbench whatif``: what other workers, batches, CPUs, devices or storage would give."""

import argparse
import sys
from collections.abc import Mapping
from itertools import product
from time import monotonic
from typing import TYPE_CHECKING, Any

from loaderbench.benches.cli.shared import common_options, option_types, output
from loaderbench.benches.cli.shared.loader_options import add_loader, named_loader, named_model, named_subject
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.reports.vocabulary import SETTINGS, ExitCode

if TYPE_CHECKING:
    from loaderbench.benches.harness.loading.loader import LoaderConfig
    from loaderbench.benches.harness.loading.subject import Subject
    from loaderbench.reports.whatif.prediction import Question

HELP = "predict other workers, batches, CPUs, devices or storage, simulated from this loader's own costs"
EXAMPLE = "whatif --dataset my.data:Train --step 20ms --cpus 2,16,64 --ranks 1,8 --num-workers 0,2,4,8"

BUDGET_S = 60.0
VARIED = ("num_workers", "batch_size")  # lists of what is asked about
BATCH_SIZE = 32
ORDERS = ("shuffle", "sequential")  # in which passes are read
REPORT_S = 4.0  # of the budget, to predict and to write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_loader(parser, without=VARIED)
    common_options.add(parser, "samples", *common_options.MODEL)
    common_options.add_lists(parser, num_workers=(0, 1, 2, 4, 8), batch_size=(BATCH_SIZE,), unset=("batch_size",))
    for option, read, default, help_text in (
        ("--cpus", option_types.number(0.1), (), "CPUs of the machine (default: this one's)"),
        ("--ranks", option_types.whole(1), (1,), "devices, each with a loader of its own (default: 1)"),
    ):
        parser.add_argument(option, type=option_types.comma_list(read), default=default, metavar="LIST", help=help_text)
    for option, read, metavar, help_text in (
        ("--step", option_types.time, "TIME", "time of a training step, such as 20ms; with --model it is measured"),
        ("--storage", option_types.size, "SIZE", "bytes a second that all readers of the storage share, such as 2GB"),
        ("--sample-bytes", option_types.size, "SIZE", "bytes that a sample reads from it, such as 150kB"),
    ):
        parser.add_argument(option, type=read, default=0, metavar=metavar, help=help_text)
    common_options.add_budget(parser, BUDGET_S)
    common_options.add_seed(parser)
    common_options.add_out(parser, "whatif")


def run(options: argparse.Namespace) -> int:
    """Measure, predict, write and show it; return 0, or 130 where it was interrupted."""
    from loaderbench.benches.whatif.pass_measuring import whatif
    from loaderbench.reports.documents.whatif_document import whatif_document

    folder = output.new_folder("whatif", options.out)
    samples = "all" if options.samples == "auto" else options.samples  # a pass reads as many as there is time for
    with output.prints_to_stderr():
        subject, config = _reading(options, samples)
        predicted = whatif(
            subject,
            config,
            _question(options, config, _step_s(options, subject, config)),
            budget_s=options.budget - (monotonic() - options.began) - REPORT_S,
            seed=common_options.seed_of(options),
            command=("loaderbench", *sys.argv[1:]),
        )
    output.publish(whatif_document(predicted), folder, stem="whatif", data=[predicted.file()])
    return ExitCode.INTERRUPTED if predicted.interrupted else ExitCode.FINE


def _reading(options: argparse.Namespace, samples: str) -> "tuple[Subject, LoaderConfig]":
    """Return the dataset, and how a worker reads it; where the user's own loader is named, its batch size too."""
    from loaderbench.benches.harness.cases.pytest_options import loader_timeout_s
    from loaderbench.benches.harness.loading.case_loader import case_loader
    from loaderbench.benches.harness.loading.own_loader import settings_around

    own_loader = named_loader(options)
    given: dict[str, Any] = {
        name: value for name, value in vars(options).items() if name in SETTINGS and name not in VARIED
    }
    given |= {"num_workers": 1, **({"batch_size": options.batch_size[0]} if options.batch_size else {})}
    settings = settings_around(own_loader, given, {"batch_size": BATCH_SIZE})
    _check_order(settings)
    if settings["batch_size"] is None or None in options.batch_size:
        raise RefusedError("--batch-size must be a number: whatif simulates batches of a given size")
    return case_loader(
        named_subject(options, own_loader, samples),
        settings,
        seed=0,
        timeout_s=loader_timeout_s(options.loader_timeout),
        own_loader=own_loader,
    )


def _check_order(settings: Mapping[str, Any]) -> None:
    """Raise RefusedError where samples are drawn in another order than those of `ORDERS`."""
    for name in ("sampler", "batch_sampler", "sampling"):
        value = settings.get(name)
        if value is not None and not (name == "sampling" and value in ORDERS):
            raise RefusedError(
                f"{SETTINGS[name].option} {value} cannot be predicted: whatif reads passes of several batch sizes and "
                f"lengths; give --sampling {' or '.join(ORDERS)} instead"
            )


def _step_s(options: argparse.Namespace, subject: "Subject", config: "LoaderConfig") -> float:
    """Return the seconds of a step: as they are given, or of the model that is named."""
    from loaderbench.benches.whatif.step_time import step_s

    model = named_model(options)
    if model is None:
        return float(options.step)
    if len(options.batch_size) > 1:
        raise RefusedError("a model's step is measured at one --batch-size: give --step, or --model and one size")
    return step_s(model, subject, config)


def _question(options: argparse.Namespace, config: "LoaderConfig", step_s: float) -> "Question":
    """Return every combination of the ranks, CPUs and workers that are asked about."""
    from loaderbench.benches.harness.system.machine import usable_cpus
    from loaderbench.reports.whatif.prediction import Question
    from loaderbench.reports.whatif.simulation import Scenario

    scenarios = (
        Scenario(
            num_workers=workers,
            cpus=cpus,
            ranks=ranks,
            step_s=step_s,
            prefetch_factor=config.batches_per_worker,
            in_order=config.in_order,
            storage_bytes_per_s=options.storage or None,
        )
        for ranks, cpus, workers in product(options.ranks, options.cpus or (usable_cpus(),), options.num_workers)
    )
    sizes: tuple[int, ...] = options.batch_size or (config.batch_size or BATCH_SIZE,)
    return Question(scenarios=tuple(scenarios), batch_sizes=sizes, sample_bytes=options.sample_bytes)

"""``loaderbench explain``: what makes this loader slow."""

import argparse
import sys
import time
import warnings
from typing import TYPE_CHECKING

from loaderbench.benches.cli.shared import common_options, option_types, output
from loaderbench.benches.cli.shared.loader_options import add_loader, loader_of, named_model
from loaderbench.reports.vocabulary import ExitCode

if TYPE_CHECKING:
    from loaderbench.benches.explain.baseline.consumer import Consumer
    from loaderbench.benches.harness.loading.subject import Subject

HELP = "explain what makes this loader slow: each known cause is removed in turn, and ranked by the time it costs"
EXAMPLE = "explain --dataset my.data:Train --num-workers 2"

BUDGET_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_loader(parser)
    common_options.add(parser, "samples", "device", *common_options.MODEL, defaults={"device": None})
    pause = "in place of a model: a pause for each batch, such as 20ms"
    parser.add_argument("--step", type=option_types.time, default=0.0, metavar="TIME", help=pause)
    common_options.add_budget(parser, BUDGET_S, "; causes that may save most are tried first")
    common_options.add_seed(parser)
    common_options.add_out(parser, "explain")


def run(options: argparse.Namespace) -> int:
    """Measure, rank, write and show it; return 0, or 130 where it was interrupted."""
    from loaderbench.benches.explain.ab_experiment import explain
    from loaderbench.benches.harness.cases.pytest_options import loader_timeout_s
    from loaderbench.reports.documents.explain_document import explain_document
    from loaderbench.reports.explain.ranking import rank
    from loaderbench.reports.render import files, terminal  # noqa: F401 - imported before anything is timed

    warnings.filterwarnings("ignore", message="This DataLoader will create")  # from every block; it is tried anyway
    folder = output.new_folder("explain", options.out)
    samples = "all" if options.samples == "auto" else options.samples  # passes are cut by what a batch takes
    with output.prints_to_stderr():
        subject, config = loader_of(options, samples)
        if config.is_as_is:
            raise config.loader_class.refuse("explain cannot vary it")
        explanation = explain(
            subject,
            config,
            consumer_of(subject, options),
            budget_s=options.budget,
            seed=common_options.seed_of(options),
            command=("loaderbench", *sys.argv[1:]),
            began=options.began,
            timeout_s=loader_timeout_s(options.loader_timeout),
        )
    output.publish(explain_document(rank(explanation)), folder, stem="explain", data=[explanation.file()])
    return ExitCode.INTERRUPTED if explanation.interrupted else ExitCode.FINE


def consumer_of(subject: "Subject", options: argparse.Namespace) -> "Consumer":
    """Return what is done with each batch: a step of a model, a pause, or nothing but placing it on the device."""
    import torch

    from loaderbench.benches.explain.baseline.consumer import Consumer
    from loaderbench.benches.harness.errors import RefusedError
    from loaderbench.benches.harness.system.devices import available

    devices = available()
    if options.device and options.device not in devices:
        raise RefusedError(f"--device {options.device}: this machine has {', '.join(devices)}")
    device = torch.device(options.device or devices[-1])
    model = named_model(options)
    if options.step:
        return Consumer(device=device, step=lambda _: time.sleep(options.step))
    if model is None:
        return Consumer(device=device)
    return Consumer(device=device, make_step=lambda: model.task(subject, device))

"""``loaderbench tune``: the best setting of a loader, within a budget of time and limits of memory and CPUs."""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaderbench.benches.cli.explain import consumer_of
from loaderbench.benches.cli.shared import common_options, option_types, output
from loaderbench.benches.cli.shared.loader_options import named_loader, named_subject
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.reports.vocabulary import SETTINGS, ExitCode, loader_settings

if TYPE_CHECKING:
    from loaderbench.benches.harness.loading.loader import LoaderConfig
    from loaderbench.benches.harness.loading.subject import Subject
    from loaderbench.benches.tune.tune import Asked
    from loaderbench.reports.tune.tune_record import Tuned

HELP = "tune a loader: the smallest setting shown to be as good as the best, within a budget and limits"
EXAMPLE = "tune --dataset my.data:Train --budget 5m --max-memory 8GB"

BUDGET_S = 120.0
OBJECTIVES = ("epoch", "throughput", "first-batch", "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    own = [name for name in loader_settings() if name != "batch_size"]
    common_options.add(parser, "dataset", *own, defaults={"dataset": None}, unset=True)
    common_options.add_lists(parser, batch_size=(32,), unset=("batch_size",))
    common_options.add(parser, "dataset_args", "from_loader", "loader_timeout")
    common_options.add(parser, "device", *common_options.MODEL, defaults={"device": None})
    pause = "in place of a model: a pause for each batch, such as 20ms"
    parser.add_argument("--step", type=option_types.time, default=0.0, metavar="TIME", help=pause)
    objective = (
        "what to minimise: the time of an epoch (epoch, the default), the time of a sample once batches flow "
        "(throughput), the time to the first batch of an epoch (first-batch), or the CPU time of an epoch (cpu)"
    )
    parser.add_argument("--objective", choices=OBJECTIVES, default="epoch", help=objective)
    fix = "a value that is not to be varied, such as num_workers=4 or in_order=on; may be given several times"
    parser.add_argument(
        "--fix", type=option_types.checked(_fixed), action="append", default=[], metavar="NAME=VALUE", help=fix
    )
    for option, read, metavar, text in (
        ("--max-memory", option_types.size, "SIZE", "memory of all processes together (PSS), such as 8GB"),
        ("--max-shm", option_types.size, "SIZE", "shared memory of the batches in flight, such as 64MB"),
        ("--max-cpus", option_types.whole(1), "N", "CPUs that all processes run on"),
        (
            "--max-workers",
            option_types.whole(),
            "N",
            "worker processes (default: two for each CPU, or eight where that is faster)",
        ),
    ):
        parser.add_argument(option, type=read, metavar=metavar, help=text)
    parser.add_argument("--fresh", action="store_true", help="do not start from the trials of an earlier call")
    parser.add_argument("--json", action="store_true", help="print the record in place of the answer")
    common_options.add_budget(parser, BUDGET_S, "; it ends earlier where one setting is shown to be as good as all")
    common_options.add_seed(parser)
    common_options.add_out(parser, "tune")


def run(options: argparse.Namespace) -> int:
    """Measure, answer, write and show it; return 0, 1 where no setting could be read, or 130 where interrupted."""
    if options.max_cpus is not None:
        _use_cpus(options.max_cpus)
    from loaderbench.benches.tune.tune import tune
    from loaderbench.reports.documents import tune_document  # noqa: F401 - imported before anything is timed
    from loaderbench.reports.render import files, terminal  # noqa: F401 - likewise

    warnings.filterwarnings("ignore", message="This DataLoader will create")  # from every trial; it is tried anyway
    folder = output.new_folder("tune", options.out)
    with output.prints_to_stderr():
        tuned = tune(_asked(options), began=options.began, earlier={} if options.fresh else _earlier(folder))
    _publish(tuned, folder, as_json=options.json)
    if tuned.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if tuned.recommended else ExitCode.BAD_ANSWER


def _asked(options: argparse.Namespace) -> "Asked":
    from loaderbench.benches.tune.tune import Asked
    from loaderbench.reports.tune.tune_record import TuneLimits

    subject, config, num_workers = _loader(options)
    return Asked(
        subject=subject,
        config=config,
        num_workers=num_workers,
        consumer=consumer_of(subject, options),
        batch_sizes=options.batch_size,
        fixed=dict(options.fix),
        limit=TuneLimits(
            memory_bytes=options.max_memory,
            shm_bytes=options.max_shm,
            cpus=options.max_cpus,
            workers=options.max_workers,
        ),
        objective=options.objective,
        budget_s=options.budget,
        seed=common_options.seed_of(options),
        command=("loaderbench", *sys.argv[1:]),
        facts=_facts(options, subject, config),
    )


def _publish(tuned: "Tuned", folder: Path, *, as_json: bool) -> None:
    """Write the record, and the answer or, `as_json`, print the record."""
    from loaderbench.reports.documents.tune_document import tune_document

    record = tuned.file()
    if as_json:
        output.write([record], folder)
        sys.stdout.write(record[1].decode() + "\n")
    else:
        output.publish(tune_document(tuned), folder, stem="tune", data=[record])


def _fixed(text: str) -> tuple[str, Any]:
    from loaderbench.benches.tune.factors import read_fixed

    return read_fixed(text)


def _use_cpus(cpus: int) -> None:
    """Have this process, and all that it starts, run on this number of CPUs; raises RefusedError."""
    if not hasattr(os, "sched_setaffinity"):
        raise RefusedError("--max-cpus: this system cannot limit the CPUs of a process")
    usable = sorted(os.sched_getaffinity(0))
    if cpus > len(usable):
        raise RefusedError(f"--max-cpus {cpus}: this process may use {len(usable)}")
    os.sched_setaffinity(0, usable[:cpus])


def _loader(options: argparse.Namespace) -> "tuple[Subject, LoaderConfig, int]":
    """Return the dataset, the user's loader as it is with a worker at least, and the workers that it really has."""
    from loaderbench.benches.harness.cases.pytest_options import loader_timeout_s
    from loaderbench.benches.harness.loading.case_loader import case_loader
    from loaderbench.benches.harness.loading.own_loader import settings_around
    from loaderbench.datasets.collate import default

    own_loader = named_loader(options)
    given = {name: value for name, value in vars(options).items() if name in SETTINGS and name != "batch_size"}
    given |= {"batch_size": options.batch_size[0]} if options.batch_size else {}
    settings = settings_around(own_loader, given, {"dataset": None})
    if own_loader is not None and own_loader.is_as_is:
        raise own_loader.loader_class.refuse("tune cannot vary it")
    if len(options.batch_size) > 1 and (None in options.batch_size or settings.get("batch_sampler") is not None):
        raise RefusedError("--batch-size takes one value here: the dataset, or the batch_sampler, makes the batches")
    with_workers = {**settings, "num_workers": max(1, settings["num_workers"])}
    subject = named_subject(options, own_loader, "all")
    timeout_s = loader_timeout_s(options.loader_timeout)
    subject, config = case_loader(subject, with_workers, seed=0, timeout_s=timeout_s, own_loader=own_loader)
    if config.collate_fn is default and ":" in subject.name:
        config = replace(config, collate_fn=None)  # torch's own, which is the same for a user's samples
    return subject, config, settings["num_workers"]


def _facts(options: argparse.Namespace, subject: "Subject", config: "LoaderConfig") -> dict[str, Any]:
    """Return what must be the same for the trials of an earlier call to count: all that no setting of tune varies."""
    from loaderbench.datasets.pytree import written

    objects = ("collate_fn", "sampler", "batch_sampler", "worker_init_fn")
    named = {name: written(value) for name in objects if (value := getattr(config, name)) is not None}
    texts = {name: str(getattr(options, name)) for name in ("dataset_args", "device", "step", *common_options.MODEL)}
    return {
        "dataset": subject.name,
        "length": subject.properties.length,
        "batch_sizes": [*options.batch_size] or [config.batch_size],
        "shuffle": config.shuffle,
        "drop_last": config.drop_last,
        "max_cpus": options.max_cpus,
        **named,
        **texts,
    }


def _earlier(folder: Path) -> "Mapping[str, Tuned]":
    """Return the records of earlier calls beside `folder`, the newest first; one that cannot be read is left out."""
    from loaderbench.reports.records.json_files import MalformedError
    from loaderbench.reports.tune.tune_record import Tuned

    records = {}
    for path in sorted(folder.parent.glob(f"*/{Tuned.file_name()}"), key=lambda path: -path.stat().st_mtime):
        try:
            records[str(path.parent)] = Tuned.read(path)
        except MalformedError as error:
            output.complain(f"{path}: {error}; it is left out")
    return records

"""One loader on the command line, as `check`, `explain`, `whatif` and `tune` take it, and what trains on it."""

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING

from loaderbench.benches.cli.shared import common_options
from loaderbench.reports.vocabulary import SETTINGS, WORKLOAD_OPTIONS, loader_settings

if TYPE_CHECKING:
    from loaderbench.benches.harness.loading.loader import LoaderConfig
    from loaderbench.benches.harness.loading.own_loader import OwnLoader
    from loaderbench.benches.harness.loading.subject import Subject
    from loaderbench.benches.harness.training.model_choice import ModelChoice

USUAL = {"num_workers": 2, "dataset": None}  # a loader without workers has little to be checked or explained


def add_loader(parser: argparse.ArgumentParser, *, without: Collection[str] = ()) -> None:
    """Declare one loader: its dataset, and every setting that makes a DataLoader, but those that a command varies."""
    declared = [name for name in ("dataset", *loader_settings()) if name not in without]
    common_options.add(parser, *declared, defaults=USUAL, unset=True)
    common_options.add(parser, "dataset_args", "from_loader", "loader_timeout")


def loader_of(options: argparse.Namespace, samples: str = "all") -> "tuple[Subject, LoaderConfig]":
    """Return the loader that the options declared by `add_loader` describe, and the dataset to build it over.

    `samples` says how much of the dataset that is. Raises RefusedError where none is named.
    """
    from loaderbench.benches.harness.cases.pytest_options import loader_timeout_s
    from loaderbench.benches.harness.loading.case_loader import case_loader
    from loaderbench.benches.harness.loading.own_loader import settings_around

    own_loader = named_loader(options)
    settings = settings_around(
        own_loader, {name: value for name, value in vars(options).items() if name in SETTINGS}, USUAL
    )
    subject = named_subject(options, own_loader, samples)
    return case_loader(
        subject, settings, seed=0, timeout_s=loader_timeout_s(options.loader_timeout), own_loader=own_loader
    )


def named_loader(options: argparse.Namespace) -> "OwnLoader | None":
    """Return the user's own loader, if one is named; what the command holds has then left garbage collection."""
    from loaderbench.benches.harness.loading.own_loader import load_own_loader
    from loaderbench.benches.harness.system.child import freeze_objects

    freeze_objects()  # before anything of the user's is built
    return load_own_loader(options.from_loader) if options.from_loader else None


def named_subject(options: argparse.Namespace, own_loader: "OwnLoader | None", samples: str) -> "Subject":
    """Return the dataset that is named, or that of the user's own loader; raises RefusedError where there is none."""
    from loaderbench.benches.harness.errors import RefusedError
    from loaderbench.benches.harness.loading.subject import DatasetChoice

    if own_loader is not None:
        return DatasetChoice(given=own_loader.given_dataset, samples=samples).subject(own_loader.named.target)
    if not getattr(options, "dataset", None):
        raise RefusedError("name what is loaded: --dataset my.data:Train, or --from-loader my.data:make_loader")
    return DatasetChoice(dataset_args=options.dataset_args, samples=samples).subject(options.dataset)


def named_model(options: argparse.Namespace) -> "ModelChoice | None":
    """Return the model or the step that is named; None where neither is, and `--step` may stand in for it.

    Raises RefusedError where both are given, and where a loss or an optimizer is named and nothing that it is for.
    """
    from loaderbench.benches.harness.errors import RefusedError
    from loaderbench.benches.harness.training.model_choice import ModelChoice

    model = ModelChoice.of(vars(options))
    if model.model or model.train_step:
        if options.step:
            raise RefusedError("--step stands in for a model's step: give one of the two")
        return model
    if alone := [name for name in common_options.MODEL if getattr(options, name)]:
        raise RefusedError(f"{WORKLOAD_OPTIONS[alone[0]].option} is of a model: name one with --model module:Net")
    return None

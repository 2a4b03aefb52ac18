"""What ``loaderbench check`` looks at: a dataset, its first batch, its first samples in two workers."""

import argparse
import sys
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch.utils.data import DataLoader, get_worker_info

from loaderbench.benches.explain.preflight import Demand, Finding, Limits, findings, storages
from loaderbench.benches.harness import subject as subjects
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.subject import DatasetChoice, Subject
from loaderbench.datasets.pytree import fingerprint
from loaderbench.reports.text import plain
from loaderbench.reports.units import quantity

WIDE = 140  # columns where there is no terminal: a log wraps by itself
WRONG, REFUSED = 1, 2  # exit codes
PROBED = 64  # samples of each of two workers, to see whether they are the same
WAIT_S = 60.0  # for one of them
_STYLES = {"fine": "green", "note": "yellow", "wrong": "bold red"}


def check(options: argparse.Namespace) -> int:
    """Look at everything, show it, and return the exit code."""
    try:
        subject = DatasetChoice(dataset_args=options.dataset_args, samples="all").subject(options.dataset)
        found = list(findings(_demand(subject, options), Limits.here()))
    except (RefusedError, ValueError) as error:
        print(f"loaderbench: {error}", file=sys.stderr)
        return REFUSED
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(_table(found))
    wrong = [finding.what for finding in found if finding.level == "wrong"]
    print(f"\nwould crash or be wrong: {', '.join(wrong)}" if wrong else "\nnothing that would crash or be wrong")
    return WRONG if wrong else 0


def _demand(subject: Subject, options: argparse.Namespace) -> Demand:
    config = LoaderConfig(
        batch_size=options.batch_size,
        num_workers=options.num_workers,
        prefetch_factor=options.prefetch_factor if options.num_workers else None,
        multiprocessing_context=options.start_method if options.num_workers else None,
        collate_fn=subjects.collate_fn(options.collate_fn or subject.collate_fns[0]),
    )
    count, size = storages(_first_batch(subject, config))
    return Demand(
        num_workers=options.num_workers,
        prefetch_factor=options.prefetch_factor,
        start_method=options.start_method or "",
        storages=count,
        storage_bytes=size,
        pickled_bytes=subject.contract.pickled_bytes,
        pickle_error=subject.contract.pickle_error,
        repeated=repeated(subject.dataset) if subject.is_stream and options.num_workers > 1 else None,
    )


def _first_batch(subject: Subject, config: LoaderConfig) -> Any:
    try:
        return next(iter(without_workers(config).build(subject.dataset)))
    except Exception as error:
        raise ValueError(
            f"{subject.name}: its first batch of {config.batch_size} raised {type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}. Name a collate function that fits with --collate-fn"
        ) from error


def repeated(dataset: Any) -> tuple[int, int]:
    """Of the first samples that each of two workers delivers: how many of the fewer ones are in both, of how many."""
    loader: DataLoader[Any] = DataLoader(
        dataset, batch_size=None, num_workers=2, collate_fn=_signed, timeout=WAIT_S, prefetch_factor=2
    )
    seen: dict[int, set[bytes]] = {0: set(), 1: set()}
    for worker, sample in islice(loader, 2 * PROBED):
        seen[worker].add(sample)
    return len(seen[0] & seen[1]), min(len(seen[0]), len(seen[1]))


def _signed(sample: Any) -> tuple[int, bytes]:
    """Which worker made a sample, and its content hash."""
    worker = get_worker_info()
    return (worker.id if worker else 0), fingerprint(sample)


def _table(found: list[Finding]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", "what", "needs", "limit", "why, and what to do"):
        table.add_column(name, justify="right" if name in ("needs", "limit") else "left", overflow="fold")
    for each in found:
        words = Text(plain(each.why))
        if each.remedy:
            words.append(f"\n{plain(each.remedy)}", style=_STYLES[each.level])
        table.add_row(
            Text(each.level, style=_STYLES[each.level]), each.what, _amount(each.number, each.unit),
            _amount(each.limit, each.unit), words,
        )  # fmt: skip
    return table


def _amount(number: float | None, unit: str) -> str:
    return "" if number is None else quantity(number, unit)

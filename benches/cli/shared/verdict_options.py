"""What `gate` and `compare` share: the options of a verdict, what is written of a comparison, and its files."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaderbench.benches.cli.shared import option_types, output
from loaderbench.reports.stats.conventions import MARGIN

if TYPE_CHECKING:
    from loaderbench.reports.gate.comparison import Comparison, Setup


def add_verdict_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a verdict, which gate and compare share."""
    group = parser.add_argument_group("the verdict")
    margin = "the change that is too small to matter, such as 5%% (default: 3%%)"
    group.add_argument("--margin", type=option_types.share, metavar="SHARE", default=MARGIN, help=margin)
    group.add_argument("--strict", action="store_true", help="exit with 3 where a verdict is inconclusive")
    group.add_argument("--accept-gone", action="store_true", help="do not fail where head lacks a case of base")


def setup_of(options: argparse.Namespace, *, seed: int = 0, **more: Any) -> "Setup":
    """Return what is written of a comparison: its command, with a drawn seed, and what decides its exit code.

    `more` are the other fields of Setup.
    """
    from loaderbench.reports.gate.comparison import Setup

    is_drawn = "seed" in options and options.seed is None
    return Setup(
        command=("loaderbench", *_without_out(sys.argv[1:]), *([f"--seed={seed}"] if is_drawn else [])),
        seed=seed,
        version=version("loaderbench"),
        strict=options.strict,
        accept_gone=options.accept_gone,
        **more,
    )


def _without_out(words: Sequence[str]) -> list[str]:
    """Return a command's words without --out FOLDER: that folder has a verdict, which is not overwritten.

    >>> _without_out(["gate", "--out", "there", "--base", "main", "--out=there"])
    ['gate', '--base', 'main']
    """
    before = ["", *words]
    pairs = zip(before, words, strict=False)
    return [word for last, word in pairs if "--out" not in (last, word) and not word.startswith("--out=")]


def publish_comparison(comparison: "Comparison", folder: Path) -> int:
    """Write a comparison's files, print its document, and return its exit code."""
    from loaderbench.reports.documents.gate_document import gate_document
    from loaderbench.reports.documents.provenance import machine_words
    from loaderbench.reports.gate.outputs import junit, verdict_file

    junit_xml = junit.junit(comparison, machine_words(comparison.setup.machine)).encode()
    data = [(verdict_file.FILE_NAME, verdict_file.encode(comparison)), (junit.FILE_NAME, junit_xml)]
    output.publish(gate_document(comparison), folder, stem="gate", data=data)
    return comparison.exit_code

"""The options of the command line, declared: their names, what they take, their help. `options.py` reads them."""

import argparse
import math
from collections.abc import Mapping
from typing import Any

import pytest

from loaderbench.benches.harness.options import AXES
from loaderbench.benches.harness.subject_options import SUBJECT_OPTIONS


def add(parser: pytest.Parser) -> None:
    """Declare the options, in a group of their own."""
    group = parser.getgroup("loaderbench", "loaderbench: what to load, and how")
    group.addoption("--quick", action="store_true", help="A few minutes: the default set of cases.")
    group.addoption("--full", action="store_true", help="All cases: batch sizes, prefetch depths, workers to the CPUs.")
    for name, axis in AXES.items():
        option = f"--{name.replace('_', '-')}"
        group.addoption(option, dest=name, metavar="LIST", help=f"Sweep: {axis.help} ({axis.takes}).")
    for entry in SUBJECT_OPTIONS.values():
        group.addoption(entry.option, default=entry.default, metavar=entry.metavar, help=f"{_sentence(entry.help)}.")
    for option, settings in _SINGLE.items():
        group.addoption(option, **settings)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


_SINGLE: Mapping[str, dict[str, Any]] = {
    "--rounds": {
        "type": int,
        "default": None,
        "metavar": "N",
        "help": "Rounds of each case (default: the bench's own, 5, with --full 9).",
    },
    "--round-time": {
        "dest": "round_s",
        "type": float,
        "default": 0.2,
        "metavar": "S",
        "help": "A round lasts at least this long: shorter passes are repeated within it (default: 0.2).",
    },
    "--pass-time": {
        "dest": "pass_s",
        "type": float,
        "default": 2.0,
        "metavar": "S",
        "help": "What --samples auto lets a pass over the user's dataset take in one process (default: 2).",
    },
    "--pass-batches": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "What such a pass has at least: batches of the largest size for each worker (default: 0).",
    },
    "--case-time": {
        "dest": "case_s",
        "type": float,
        "default": math.inf,
        "metavar": "S",
        "help": "Fewer rounds where they would take longer than this together (default: no limit).",
    },
    "--placement": {
        "type": int,
        "default": None,
        "metavar": "CORE",
        "help": "Run the main process on this core and worker i on the one i + 1 further: to compare, not to report.",
    },
    "--lockstep": {"type": int, "default": None, "help": argparse.SUPPRESS},  # the gate's end of a socket
    "--loader-timeout": {
        "dest": "timeout_s",
        "type": float,
        "default": 60.0,
        "metavar": "S",
        "help": "Give up on a batch that workers have not delivered for so long (default: 60; 0 waits for ever).",
    },
    "--seed": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "Seeds shuffling and the order of cases (default: 0).",
    },
    "--run-dir": {
        "default": "",
        "metavar": "DIR",
        "help": "Where the record goes: a folder that holds none yet (default: runs/<when>-<commit>).",
    },
    "--resume": {
        "default": "",
        "metavar": "DIR",
        "help": "Run what that run's record lacks, and complete it.",
    },
}

"""Options that several commands share: what is loaded and how, the budget, the seed, where the files go.

Settings and the other options of a subject come from the vocabulary: a new one is declared there and is then an option
of every command that names it.
"""

import argparse
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from loaderbench.benches.cli.shared import option_types
from loaderbench.reports.vocabulary import SETTINGS, WORKLOAD_OPTIONS, Setting

MODEL = ("model", "model_args", "loss", "train_step", "optimizer")  # options of what is trained


def add(
    parser: argparse._ActionsContainer,
    *names: str,
    defaults: Mapping[str, Any] | None = None,
    unset: bool = False,
) -> None:
    """Declare settings and other options of a subject by name; each takes one value.

    `defaults` (by name) stand in for those of the vocabulary. With `unset` the namespace has only those that are given:
    the help says the default.
    """
    for name in names:
        default = (defaults or {}).get(name, _default(name))
        kept = argparse.SUPPRESS if unset else default
        if (entry := WORKLOAD_OPTIONS.get(name)) is None:
            _add_setting(parser, SETTINGS[name], default, kept)
        else:
            parser.add_argument(entry.option, metavar=entry.metavar, help=_escaped(entry.help), default=kept)


def add_lists(parser: argparse._ActionsContainer, *, unset: Collection[str] = (), **defaults: Collection[Any]) -> None:
    """Declare settings that take several values, with commas; `defaults` has the values of each by its name.

    The namespace has no values for those `unset`, where none are given.
    """
    for name, values in defaults.items():
        setting = SETTINGS[name]
        usual = ",".join(map(_written, values))
        parser.add_argument(
            setting.option,
            type=option_types.comma_list(setting.read, setting.option),
            default=() if name in unset else tuple(values),
            metavar="LIST",
            help=_escaped(f"{setting.help}: {setting.takes}; several with commas (default: {usual})"),
        )


def add_budget(parser: argparse._ActionsContainer, default_s: float | None, exception: str = "") -> None:
    """Declare the time that a command may take; `exception` ends its help."""
    usual = "" if default_s is None else f" (default: {default_s / 60:g}m)"
    about = f"time for the whole command, such as 2m{exception}{usual}"
    parser.add_argument("--budget", type=option_types.time, default=default_s, metavar="TIME", help=about)


def add_out(parser: argparse._ActionsContainer, command: str) -> None:
    """Declare where the files of a command go."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder for the files (default: runs/<when>-{command})"
    )


def add_seed(parser: argparse._ActionsContainer) -> None:
    """Declare the seed of all orders; None where it is not given."""
    parser.add_argument(
        "--seed",
        type=option_types.whole(),
        metavar="N",
        help="seed of every random order (default: drawn, and recorded)",
    )


def seed_of(options: argparse.Namespace) -> int:
    """Return the seed that was given, else one that is drawn."""
    return secrets.randbelow(1 << 31) if options.seed is None else int(options.seed)


def _add_setting(parser: argparse._ActionsContainer, setting: Setting, default: Any, kept: Any) -> None:
    usual = f" (default: {_written(default)})" if default is not None else ""
    is_listed = setting.takes_none or setting.choices or setting.is_open  # else the metavar says what it takes
    takes = f": {setting.takes}" if is_listed else ""
    parser.add_argument(
        setting.option,
        type=option_types.checked(setting.read, setting.option),
        metavar="N" if setting.kind == "whole" else "on|off" if setting.kind == "switch" else "NAME",
        help=_escaped(f"{setting.help}{takes}{usual}"),
        default=kept,
    )


def _default(name: str) -> Any:
    return WORKLOAD_OPTIONS[name].default if name in WORKLOAD_OPTIONS else SETTINGS[name].default


def _written(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")

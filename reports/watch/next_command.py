"""The command that goes on from a watched loader: explain, or tune, with what was seen of it."""

import numpy as np

from loaderbench.reports.text import shell
from loaderbench.reports.vocabulary import SETTINGS
from loaderbench.reports.watch.verdict import LoopVerdict

# Of what was seen of a loader, the options of the next command: of explain, and of tune, which varies the others.
_SEEN = (
    "num_workers",
    "batch_size",
    "prefetch_factor",
    "start_method",
    "persistent_workers",
    "pin_memory",
    "drop_last",
)
_NOT_TUNED = ("batch_size", "drop_last")


def next_command(verdict: LoopVerdict, command: str = "explain") -> str:
    """Return the command that goes on from here, with what was seen of the loader; nothing where none helps.

    `command`: explain is given the loader as it is, tune what it is not to vary.
    """
    loader = verdict.loader
    named_by = list(loader.facts.get("named_by") or ())
    if verdict.outcome != "bottleneck" or not named_by:
        return ""
    words = ["loaderbench", command, *named_by]
    for name in _SEEN if command == "explain" else _NOT_TUNED:
        value = loader.facts.get(name)
        if value and value != SETTINGS[name].default:
            words += [f"--{name.replace('_', '-')}", "on" if value is True else str(value)]
    collate = str(loader.facts.get("collate_fn") or "")
    if ":" in collate and not loader.facts.get("is_collate_fn_made") and not _is_default(collate):
        words += ["--collate-fn", collate]
    step_s = float(np.nanmedian(verdict.times.others)) if verdict.times.is_whole.any() else 0.0
    if step_s > 1e-3:  # noqa: PLR2004 - a step of less than a millisecond is next to none
        words += ["--step", f"{1e3 * step_s:.3g}ms"]
    return shell(words)


def _is_default(collate: str) -> bool:
    return collate.startswith("torch.") or "<" in collate

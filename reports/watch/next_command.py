"""The command that goes on from a watched loader: explain, or tune, with what was seen of it."""

from loaderbench.reports.text import shell
from loaderbench.reports.vocabulary import SETTINGS
from loaderbench.reports.watch.loops import making, typical_step_s
from loaderbench.reports.watch.verdict import LoopVerdict

TO_WRITE = "MODULE:FUNCTION"  # in a command, in place of a dataset whose class it cannot import
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
_IN_ORDER = "torch.utils.data.sampler:SequentialSampler"


def next_command(verdict: LoopVerdict, command: str = "explain") -> str:
    """Return the command that goes on from here, with what was seen of the loader; nothing where none helps.

    `command`: explain is given the loader as it is, tune what it is not to vary.
    """
    loader = verdict.loader
    path = str(loader.facts.get("python_path") or "")
    named_by = ["--dataset", TO_WRITE] if loader.facts.get("not_importable") else loader.facts.get("named_by") or ()
    if verdict.outcome != "bottleneck" or not named_by:
        return ""
    words = ["loaderbench", command, *named_by]
    seen = {**loader.facts, "batch_size": _batch_size(verdict)}
    for name in _SEEN if command == "explain" else _NOT_TUNED:
        value = seen.get(name)
        if name == "num_workers" or (value and value != SETTINGS[name].default):  # explain has workers by default
            words += [f"--{name.replace('_', '-')}", "on" if value is True else str(value or 0)]
    if loader.facts.get("sampler") == _IN_ORDER:
        words += ["--sampling", "sequential"]
    collate = str(loader.facts.get("collate_fn") or "")
    if ":" in collate and not loader.facts.get("is_collate_fn_made") and not _is_default(collate):
        words += ["--collate-fn", collate]
    step_s = typical_step_s(verdict.times)
    if step_s > 1e-3:  # noqa: PLR2004 - a step of less than a millisecond is next to none
        words += ["--step", f"{1e3 * step_s:.3g}ms"]
    return f"PYTHONPATH={shell([path])} {shell(words)}" if path else shell(words)


def what_to_fill_in(verdict: LoopVerdict) -> str:
    """Return what the user must do before the next commands work as they stand; empty if nothing."""
    facts = verdict.loader.facts
    notes = []
    if why := str(facts.get("not_importable") or ""):
        notes.append(
            f"{why}; write a function that returns this dataset into a module of its own, and put its name in place of "
            f"{TO_WRITE}"
        )
    elif any("…" in word for word in facts.get("named_by") or ()):
        notes.append("put the dataset's own arguments in place of …")
    collate = str(facts.get("collate_fn") or "")
    if facts.get("is_collate_fn_made") or "<" in collate:
        notes.append("its collate_fn has no name to be imported by: add --collate-fn MODULE:NAME")
    return "; ".join(notes)


def _batch_size(verdict: LoopVerdict) -> int | str | None:
    """Return the samples of a batch: as set, else as many as its batches had; "none" where the dataset makes them."""
    facts, made = verdict.loader.facts, making(verdict.loader)
    counted = round(made.samples / made.batches) if made else 0
    return facts.get("batch_size") or counted or (None if facts.get("batch_sampler") else "none")


def _is_default(collate: str) -> bool:
    return collate.startswith("torch.") or "<" in collate

"""Watched loops that never were, whose waits are known."""

from collections.abc import Sequence
from typing import Any

from loaderbench.reports.watch.watch_record import MadeBatch, Watched, WatchedEpoch, WatchedLoader

FACTS = {
    "num_workers": 2, "batch_size": 4, "in_order": True, "named_by": ["--dataset", "train:Train"],
    "collate_fn": "torch.utils.data._utils.collate:default_collate", "start_method": "fork",
}  # fmt: skip


def epoch(
    waits: Sequence[float], others: Sequence[float], *, began: float = 0.0, start_s: float = 0.0, end_s: float = 0.0
) -> WatchedEpoch:
    """Return a pass whose waits and other seconds of each step are these."""
    requested, received = [], []
    now = began + start_s
    for wait, other in zip(waits, others, strict=True):
        requested.append(now)
        received.append(now + wait)
        now += wait + other
    return WatchedEpoch(
        began_s=began, started_s=began + start_s, requested_s=tuple(requested), received_s=tuple(received),
        ended_s=(now, now + end_s),
    )  # fmt: skip


def loader(*epochs: WatchedEpoch, made: Sequence[MadeBatch] = (), **facts: Any) -> WatchedLoader:
    """Return a loader of these passes."""
    return WatchedLoader(
        name="train.py:31",
        dataset="train:Train",
        facts={**FACTS, **facts},
        epochs=epochs,
        made=tuple(made),
        steps=sum(len(entry.received_s) for entry in epochs),
    )


def steady(share: float, steps: int = 200, step_s: float = 0.01) -> WatchedLoader:
    """Return a loader that is waited for in each step, for this share of it."""
    return loader(epoch([share * step_s] * steps, [(1 - share) * step_s] * steps))


def watched(*loaders: WatchedLoader, **fields: Any) -> Watched:
    """Return a record of these loaders."""
    about: dict[str, Any] = {
        "version": "0", "started": "2026-11-26T20:00:00+00:00", "seconds": 60.0, "script": "train.py",
        "command": ("loaderbench", "watch", "train.py"), "loaders": loaders,
    }  # fmt: skip
    return Watched(schema=Watched.SCHEMA, **{**about, **fields})

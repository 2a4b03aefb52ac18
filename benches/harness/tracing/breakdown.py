"""The time breakdown of a pass, computed from the timestamps of its batches. Nothing here reads a clock.

A pass is broken down twice. `stage_times` adds up what was *done* for batches, by whichever process did it: workers
run side by side, so these seconds may exceed the pass. `loop_times` adds up what the loop *waited for*: while it
waited for a batch, that batch was not begun, or was being fetched, collated, transported or pinned. Every second of the
loop is in one of these waits or in its step, so they add up to the pass.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from loaderbench.benches.harness.tracing.timestamps import EVENTS, PassTrace

Floats = NDArray[np.float64]

# A stage lasts from one of `EVENTS` to the next; the last of them until the loop receives the batch.
STAGES = ("fetch", "collate", "queue", "pickle", "transit", "unpickle", "to_pin", "pin", "ready")
# What the loop may wait for, and the stages that this comprises.
WAITS: Mapping[str, tuple[str, ...]] = {
    "begin": ("begin",),
    "fetch": ("fetch",),
    "collate": ("collate",),
    "transport": ("queue", "pickle", "transit", "unpickle"),
    "pin": ("to_pin", "pin"),
    "loop": ("ready",),
}


def stage_times(trace: PassTrace) -> dict[str, float]:
    """Return the seconds that each stage took, over all batches.

    Of ``fetch_s``, the dataset's ``transform`` took ``transform_s``. Of ``fetch_s`` and ``collate_s``, the thread was
    without a CPU for ``off_cpu_s``: it waited for a file, a network, another thread, or a CPU.
    """
    lengths = np.diff(_event_times(trace), axis=1).sum(axis=0)
    stages = {f"{stage}_s": float(seconds) for stage, seconds in zip(STAGES, lengths, strict=True)}
    batches = [batch.timestamps for batch in trace.batches]
    return {
        **stages,
        "transform_s": sum(batch.transform_s for batch in batches),
        "off_cpu_s": sum(max(0.0, batch.collated - batch.fetching - batch.cpu_s) for batch in batches),
    }


def loop_times(trace: PassTrace) -> dict[str, float]:
    """Return the loop's seconds: waiting, by the stage of the batch it waited for, and in its step."""
    events = _event_times(trace)
    requested, received = _requested(trace)[:, None], events[:, -1:]
    edges = np.concatenate([requested, np.clip(events, requested, received)], axis=1)
    waited = dict(zip(("begin", *STAGES), np.diff(edges, axis=1).clip(min=0).sum(axis=0), strict=True))
    waits = {f"wait_{name}_s": float(sum(waited[stage] for stage in stages)) for name, stages in WAITS.items()}
    step_s = trace.drain_s + sum(batch.finished - batch.received for batch in trace.batches)
    return {**waits, "step_s": step_s}


def blocked_s(trace: PassTrace) -> float:
    """Return the seconds the loop waited while a later batch was ready (head-of-line blocking by in-order delivery)."""
    events = _event_times(trace)
    ready, received = events[:, EVENTS.index("pickled")], events[:, -1]
    earliest_from = np.minimum.accumulate(ready[::-1])[::-1]
    earliest_later = np.append(earliest_from[1:], np.inf)
    return float((received - np.maximum(_requested(trace), earliest_later)).clip(min=0).sum())


def unexplained(trace: PassTrace) -> float:
    """Return the share of the pass that `loop_times` leaves unexplained: next to nothing."""
    return 1 - sum(loop_times(trace).values()) / trace.seconds


def _requested(trace: PassTrace) -> Floats:
    return np.array([batch.requested for batch in trace.batches])


def _event_times(trace: PassTrace) -> Floats:
    """Return one row a batch: when its `EVENTS` happened, and when the loop received it.

    Clocks of two cores may differ by a microsecond: a timestamp below that of the event before is raised to it.
    """
    rows = [[*batch.timestamps.in_order(), batch.received] for batch in trace.batches]
    return np.maximum.accumulate(np.array(rows).reshape(-1, len(EVENTS) + 1), axis=1)

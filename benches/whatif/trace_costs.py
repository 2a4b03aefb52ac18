"""The costs of a loader's batches, computed from a trace of a pass with one worker. Nothing here reads a clock."""

from collections.abc import Sequence
from statistics import median

import numpy as np

from loaderbench.benches.harness.tracing.timestamps import BatchTrace, PassTrace
from loaderbench.reports.whatif.batch_costs import PassCosts
from loaderbench.reports.whatif.simulation import Costs

SLOWEST = 0.05  # at which a batch is taken from a worker that makes another one


def pass_costs(trace: PassTrace, alone_s: Sequence[float]) -> PassCosts:
    """Return what batches cost: `trace` is of a pass with one worker, `alone_s` are the waits of one without any."""
    batches = trace.batches
    send_s = _pickle_s(batches) + _worker_loop_s(batches)
    take_s, speed_while_making = _taking(batches)
    return PassCosts(
        begin_s=max(0.0, batches[0].timestamps.fetching - batches[0].requested),
        batches=tuple(
            Costs(
                read_s=max(0.0, _making_s(batch) - batch.timestamps.cpu_s),
                work_s=min(_making_s(batch), batch.timestamps.cpu_s),
                send_s=send_s,
                take_s=take_s,
                speed_while_making=speed_while_making,
                alone_s=alone_s[number % len(alone_s)],
            )
            for number, batch in enumerate(batches)
        ),
    )


def _making_s(batch: BatchTrace) -> float:
    return batch.timestamps.collated - batch.timestamps.fetching


def _pickle_s(batches: Sequence[BatchTrace]) -> float:
    return median(batch.timestamps.pickled - batch.timestamps.pickling for batch in batches)


def _worker_loop_s(batches: Sequence[BatchTrace]) -> float:
    """Return what the worker's own loop takes from batch to batch.

    Two batches are in flight: a worker is assigned the batch after next when the loop receives one. From then on, or
    from the end of its batch before, it could begin the next one.
    """
    gaps_s = [
        max(0.0, after.timestamps.fetching - max(batch.timestamps.collated, before.received))
        for before, batch, after in zip(batches, batches[1:], batches[2:], strict=False)
    ]
    return median(gaps_s) if gaps_s else 0.0


def _taking(batches: Sequence[BatchTrace]) -> tuple[float, float]:
    """Return what the loop takes for a batch while its worker is idle, and its speed while the worker makes another.

    Part of each taking was beside the worker's making. The least squares line of the rest over that part has both: its
    slope is minus the speed.
    """
    begun = np.array([max(batch.requested, batch.timestamps.pickled) for batch in batches])[:, None]
    ended = np.array([batch.received for batch in batches])[:, None]
    making = np.array([(batch.timestamps.fetching, batch.timestamps.collated) for batch in batches])
    beside = (np.minimum(ended, making[:, 1]) - np.maximum(begun, making[:, 0])).clip(min=0).sum(axis=1)
    rest = (ended - begun)[:, 0] - beside
    variance = float(beside.var())
    slope = float(np.cov(beside, rest, bias=True)[0, 1]) / variance if variance else -1.0
    speed_while_making = min(1.0, max(SLOWEST, -slope))
    return float(np.median(rest + speed_while_making * beside)), speed_while_making

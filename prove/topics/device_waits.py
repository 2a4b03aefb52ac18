"""Are waits on a device right? Waits of known length between steps of known length, read by the device's own events.

Measured where there is CUDA: its queue runs beside the host, whose clock cannot tell waiting from queueing.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import subject_of
from loaderbench.benches.harness.measuring.clock import Epoch
from loaderbench.datasets.synthetic.known_cost import Sleeping
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

STEP_S = 0.02
SHARES = (0.0, 0.10, 0.60)  # of a pass that the device waits
WAITED = "device waits: share of a pass, of {:.0%}"
BY_THE_HOST = "device waits: the share that the host's clock shows, of 10 %"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the errors of shares of known size, and what the host's clock makes of one of them."""
    batches = scope.of(100, 4)
    spin = partial(torch.cuda._sleep, _cycles())  # noqa: SLF001 - the only kernel of known length
    by_goal = {}
    for share in SHARES:
        load_s = STEP_S / (1 - share) if share else STEP_S / 2
        metrics = _pass(load_s, batches, spin)
        measured, truth = metrics["wait_s"] / metrics["seconds"], _waited(load_s, batches)
        note = f"{measured:.1%} of {truth:.1%}"
        by_goal[WAITED.format(share)] = Measured(value=abs(measured - truth), note=note)
        if share == SHARES[1]:
            by_goal[BY_THE_HOST] = Measured(value=metrics["host_wait_s"] / metrics["seconds"])
    return by_goal


def _waited(load_s: float, batches: int) -> float:
    """Return the share of a pass that the device waits: the whole first batch, and the rest of each other."""
    wait_s = load_s + (batches - 1) * max(0.0, load_s - STEP_S)
    return wait_s / (wait_s + batches * STEP_S)


def _cycles() -> int:
    """Return how many cycles the device spins in `STEP_S`, by its own events, once its clock has risen."""
    tried, spins = 10_000_000, 200
    events = [torch.cuda.Event(enable_timing=True) for _ in range(spins + 1)]
    for event in events:
        event.record()
        torch.cuda._sleep(tried)  # noqa: SLF001 - as above
    torch.cuda.synchronize()
    spun_s = events[spins // 2].elapsed_time(events[spins]) / 1e3
    return int(tried * (spins - spins // 2) * STEP_S / spun_s)


def _pass(load_s: float, batches: int, spin: Any) -> Mapping[str, float]:
    """Return the metrics of a pass whose batches take `load_s` on the host while the device spins on each."""
    dataset = Sleeping(samples=batches, sleep_s=load_s)
    step = lambda _batch: spin()  # noqa: E731 - the batch is not what costs
    with Epoch(subject_of(dataset), LoaderConfig(batch_size=1), device=torch.device("cuda"), step=step) as epoch:
        for _ in range(2):  # in the first one the device warms up
            epoch.run(1)
            metrics = epoch.after()
        return metrics


TOPIC = Topic(
    name="device waits",
    goals=(
        *(Goal(what=WAITED.format(share), unit="share", at_most=0.02) for share in SHARES),
        Goal(what=BY_THE_HOST, unit="share", at_least=0.5),
    ),
    measure=measure,
)

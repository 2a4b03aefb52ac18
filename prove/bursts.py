"""Noise, as other guests make it: on each core bursts of 5 to 50 ms that take a share of its time, until interrupted.

    python -m prove.bursts            # 10 % of each core
    python -m prove.bursts 0.05       # 5 %

Bursts begin at random, and know nothing of what they disturb. Run a gate, or any other comparison, beside it.
"""

import os
import random
import signal
import sys
import time
from multiprocessing import get_context

from prove.noisy_blocks import BURST_S

SHARE = 0.1


def burst(core: int, share: float, seed: int, parent: int) -> None:
    """Use `share` of the time of one core, as long as the process `parent` lives, however that ends."""
    os.sched_setaffinity(0, {core})
    rng = random.Random(seed)  # noqa: S311 - noise, not a secret
    mean_s = sum(BURST_S) / 2
    while os.getppid() == parent:
        time.sleep(rng.expovariate(share / ((1 - share) * mean_s)))
        until = time.monotonic() + rng.uniform(*BURST_S)
        while time.monotonic() < until:
            pass


def main() -> None:
    """Disturb every core until interrupted."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else SHARE
    if not 0 < share < 1:
        raise SystemExit(f"the share must lie between 0 and 1, got {share}")
    context = get_context("fork")
    for core in sorted(os.sched_getaffinity(0)):
        context.Process(target=burst, args=(core, share, core, os.getpid()), daemon=True).start()
    signal.pause()


if __name__ == "__main__":
    main()

"""Waits on CUDA: injected ones are recovered by events in the device's queue; the host's clock does not know them."""

import time
from itertools import pairwise
from typing import Any

import pytest
import torch

from loaderbench.benches.harness.clock import Epoch
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.subject import subject_of
from loaderbench.datasets.synthetic.known_cost import Sleeping

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA: its queue runs beside the host")

STEP_S = 0.02
BATCHES = 40
WITHIN = 0.02  # of the pass


@pytest.fixture(scope="module")
def cycles() -> int:
    """How many cycles the device spins in `STEP_S`, by its own events."""
    tried = 10_000_000
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(tried)
    begun.record()
    torch.cuda._sleep(tried)
    ended.record()
    torch.cuda.synchronize()
    return int(tried * STEP_S / (begun.elapsed_time(ended) / 1e3))


def read(load_s: float, cycles: int) -> dict[str, float]:
    """A pass whose batches take `load_s` on the host while the device spins for `STEP_S` on each."""

    def step(_batch: Any) -> None:
        torch.cuda._sleep(cycles)

    dataset = Sleeping(samples=BATCHES, sleep_s=load_s)
    with Epoch(subject_of(dataset), LoaderConfig(batch_size=1), device=torch.device("cuda"), step=step) as epoch:
        epoch.run(1)  # the device warms up
        epoch.run(1)
        return epoch.after()


@pytest.mark.parametrize("share", [0.0, 0.10, 0.60])
def test_an_injected_wait_is_recovered(share: float, cycles: int) -> None:
    wait_s = STEP_S * share / (1 - share)
    found = read(STEP_S + wait_s if share else STEP_S / 2, cycles)
    assert found["wait_s"] / found["seconds"] == pytest.approx(share, abs=WITHIN + 1 / BATCHES)


def test_the_host_s_clock_is_wrong_about_it(cycles: int) -> None:
    found = read(STEP_S * 1.11, cycles)  # the device waits for 10 % of its time
    assert found["host_wait_s"] / found["seconds"] > 0.5


def test_more_waiting_is_more_waiting(cycles: int) -> None:
    shares = [found["wait_s"] / found["seconds"] for found in (read(STEP_S * times, cycles) for times in (0.5, 1.3, 2))]
    assert all(less < more for less, more in pairwise(shares))


def test_a_step_ends_when_the_device_says_so(cycles: int) -> None:
    began = time.perf_counter()
    read(STEP_S / 10, cycles)
    assert time.perf_counter() - began > 2 * BATCHES * STEP_S * 0.9

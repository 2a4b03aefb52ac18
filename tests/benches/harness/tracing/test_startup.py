"""bench_payload: what a worker's start grows with."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.tracing.startup import Start
from loaderbench.datasets.synthetic.known_cost import Payload

PARTS = ("ask_s", "pickle_s", "process_s", "main_s", "imports_s", "unpickle_s", "init_s", "first_fetch_s", "deliver_s")
LARGE = 64_000_000


def started(payload_bytes: int, start_method: str, num_workers: int = 1) -> dict[str, float]:
    dataset = Payload(samples=2 * num_workers, payload_bytes=payload_bytes)
    config = LoaderConfig(num_workers=num_workers, multiprocessing_context=start_method, timeout=60)
    with Start(config=config, dataset=dataset) as work:
        work.run(1)
        return work.after()


@pytest.fixture(scope="module")
def spawned() -> dict[int, dict[str, float]]:
    """Starts under spawn, by the size of the dataset."""
    return {size: started(size, "spawn") for size in (0, LARGE)}


def test_the_first_batch_s_way_adds_up(spawned: dict[int, dict[str, float]]) -> None:
    for held in (*spawned.values(), started(LARGE, "fork")):
        assert sum(held[part] for part in PARTS) == pytest.approx(held["first_batch_s"])
        assert min(held[part] for part in PARTS) >= 0


def test_under_spawn_a_dataset_is_pickled_and_unpickled(spawned: dict[int, dict[str, float]]) -> None:
    small, large = (held["pickle_s"] + held["unpickle_s"] for held in spawned.values())
    assert large > 3 * small


def test_under_fork_nothing_is_sent_however_large(spawned: dict[int, dict[str, float]]) -> None:
    held = started(LARGE, "fork")
    assert held["pickle_s"] == held["unpickle_s"] == 0
    assert held["first_batch_s"] < spawned[LARGE]["first_batch_s"]


def test_an_epoch_ends_with_its_workers_and_the_next_one_starts_them_again() -> None:
    held = started(0, "fork", num_workers=2)
    assert held["shutdown_s"] > 0
    assert held["gap_s"] >= held["shutdown_s"] / 2


def test_under_spawn_the_main_module_is_imported_again(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(MAIN)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=120)
    held = json.loads(ran.stdout)
    assert held["main_s"] >= 0.5


MAIN = """
import json
import time
time.sleep(0.5)

if __name__ == "__main__":
    from loaderbench.benches.harness.tracing.startup import Start
    from loaderbench.benches.harness.loader import LoaderConfig
    from loaderbench.datasets.synthetic.known_cost import Payload

    config = LoaderConfig(num_workers=1, multiprocessing_context="spawn", timeout=60)
    with Start(config=config, dataset=Payload(samples=2, payload_bytes=0)) as work:
        work.run(1)
        print(json.dumps(work.after()))
"""


def test_a_start_leaves_this_process_as_it_was() -> None:
    arguments, name = list(sys.argv), multiprocessing.current_process().name
    started(0, "fork")
    assert (sys.argv, multiprocessing.current_process().name) == (arguments, name)
    assert type(multiprocessing.current_process().name) is str

"""Ranks as actors of Ray, on a cluster of two nodes that it makes on this machine: ``make test-integrations``."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest
from user_model import USER_MODEL

pytestmark = pytest.mark.integrations

PLUGIN = ("-q", "-p", "loaderbench.benches.harness.plugin", "-p", "no:cacheprovider", "--benchmark-quiet")
BENCH = ("--pyargs", "loaderbench.benches.bench_ranks", "--launcher", "ray", "--nproc-per-node", "1", "--device", "cpu")
BRIEF = ("--num-workers", "1", "--batch-size", "8", "--rounds", "2", "--model", "by_ray:Net", "--run-dir", "run")
THEIRS = """
import os
import pathlib
import time
import torch
from torch import distributed

class Rows:
    def __len__(self):
        return 64

    def __getitem__(self, index):
        self.touch()
        return torch.full((3,), float(range(64)[index])), index % 2

    def touch(self):
        pass

class Raises(Rows):
    def __getitem__(self, index):
        if index == 41:
            raise ValueError("no such row")
        return super().__getitem__(index)

class Hangs(Rows):
    def touch(self):
        if torch.utils.data.get_worker_info():
            pathlib.Path(__file__).with_name(f"{os.getpid()}.pid").touch()
            time.sleep(600)
"""
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
print("ready", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
GONE_S = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ray")
    (folder / "by_ray.py").write_text(THEIRS + USER_MODEL)
    return folder


@pytest.fixture(scope="module")
def environment(folder: Path) -> Iterator[dict[str, str]]:
    """Two nodes: the environment of what is to use them."""
    pytest.importorskip("ray", reason="no Ray: pip install 'loaderbench[ray]'")
    ours = {**os.environ, "PYTHONPATH": str(folder), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", CLUSTER], env=ours, text=True, **pipes) as cluster:
        assert cluster.stdout
        address = next(line for line in cluster.stdout if line.startswith("ready")).split()[1]
        yield {**ours, "RAY_ADDRESS": address}
        cluster.communicate()


def start(folder: Path, environment: dict[str, str], datasets: str) -> "subprocess.Popen[str]":
    command = (sys.executable, "-m", "pytest", *PLUGIN, *BENCH, *BRIEF, "--dataset", datasets)
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="module")
def record(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    process = start(folder, environment, "by_ray:Rows,by_ray:Raises")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    return json.loads((folder / "run" / "run.json").read_text())  # type: ignore[no-any-return]


def test_a_rank_is_an_actor_on_each_node(record: dict[str, Any]) -> None:
    cases = {case["extra_info"]["bench"]: case["extra_info"] for case in record["benchmarks"]}
    assert set(cases) == {"ranks", "ranks_training"}
    for case in cases.values():
        assert case["facts"]["coverage"] == "each sample once"
        assert (case["settings"]["launcher"], case["settings"]["nnodes"], case["facts"]["hosts"]) == ("ray", 2, 2)
        assert len({rank["host"] for rank in case["ranks"]}) == 2


def test_an_actor_that_fails_is_named_with_the_line_to_blame(record: dict[str, Any]) -> None:
    reasons = [case["reason"] for case in record["loaderbench"]["failed"]]
    assert len(reasons) == 2
    for reason in reasons:
        assert reason.startswith("rank ")
        assert "(first pass): ValueError: no such row (sample 41, in worker 0, by_ray.py:" in reason


def test_ctrl_c_leaves_no_process(folder: Path, environment: dict[str, str], record: dict[str, Any]) -> None:
    assert record["loaderbench"]["complete"]
    (folder / "run").rename(folder / "before")
    process = start(folder, environment, "by_ray:Hangs")
    end = monotonic() + 120
    while len(files := list(folder.glob("*.pid"))) < 2 and monotonic() < end:
        sleep(0.1)
    workers = [psutil.Process(int(file.stem)) for file in files]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, len(workers)) == (2, 2), output
    assert psutil.wait_procs(workers, timeout=GONE_S)[1] == []

"""Launchers, really run: ``make test-integrations``. What is not installed here is skipped, with its name."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from user_model import USER_MODEL

pytestmark = pytest.mark.integrations

PYTHON = sys.executable
PLUGIN = ("-q", "-p", "loaderbench.benches.harness.plugin", "-p", "no:cacheprovider", "--benchmark-quiet")
BENCH = ("--pyargs", "loaderbench.benches.bench_ranks", "--dataset", "launched:Rows", "--model", "launched:Net")
BRIEF = ("--num-workers", "1", "--batch-size", "8", "--rounds", "2", "--device", "cpu", "--run-dir", "run")
PYTEST = ("-m", "pytest", *PLUGIN, *BENCH, *BRIEF)
THEIRS = """
import torch

class Rows:
    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.full((3,), float(range(64)[index])), index % 2
"""
TORCHRUN = ("-m", "torch.distributed.run")
SEARCHED = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
DAEMONS = {
    "munged": ("-F", "-f", *(f"--{name}-file={{folder}}/munge.{name}" for name in ("key", "pid", "log", "seed")),
               "--socket={folder}/munge.socket"),
    "slurmctld": ("-D",),
    "slurmd": ("-D",),
}  # fmt: skip
SLURM = """
ClusterName=loaderbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
MpiDefault=none
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=all Nodes=ALL Default=YES OverSubscribe=YES
"""
FIRST, SECOND, PORT = "10.77.0.1", "10.77.0.2", "29555"


@dataclass(frozen=True, kw_only=True)
class Project:
    folder: Path

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, **environment: str) -> str:
        process = self.start(*command, **environment)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output

    @property
    def cases(self) -> dict[str, Any]:
        record = json.loads((self.folder / "run" / "run.json").read_text())
        assert record["loaderbench"]["complete"]
        return {case["extra_info"]["bench"]: case["extra_info"] for case in record["benchmarks"]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "launched.py").write_text(THEIRS + USER_MODEL)
    return Project(folder=tmp_path)


def check(project: Project, output: str) -> None:
    """Both benches were measured on two ranks, and one of them alone said so."""
    assert output.count("2 cases measured") == 1
    assert set(project.cases) == {"ranks", "ranks_training"}
    for case in project.cases.values():
        assert case["facts"]["coverage"] == "each sample once"
        assert [rank["rank"] for rank in case["ranks"]] == [0, 1]


def test_torchrun(project: Project) -> None:
    check(project, project.run(PYTHON, *TORCHRUN, "--standalone", "--nproc-per-node", "2", *PYTEST))


def test_accelerate(project: Project) -> None:
    pytest.importorskip("accelerate")
    options = ("--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no")
    launch = ("-m", "accelerate.commands.launch", *options, "--dynamo_backend", "no")
    check(project, project.run(PYTHON, *launch, *PYTEST))


def test_mpirun(project: Project) -> None:
    mpirun = shutil.which("mpirun")
    if mpirun is None:
        pytest.skip("no mpirun: apt-get install openmpi-bin")
    options = ("--oversubscribe", *(("--allow-run-as-root",) if os.geteuid() == 0 else ()))
    check(project, project.run(mpirun, *options, "-n", "2", PYTHON, *PYTEST))


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Slurm on this node alone, started for a test: the environment that ``srun`` needs."""
    if missing := [name for name in (*DAEMONS, "srun") if shutil.which(name, path=SEARCHED) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: apt-get install slurm-wlm munge")
    if os.geteuid():
        pytest.skip("Slurm's daemons are started here as root")
    folder, environment = tmp_path / "slurm", {"SLURM_CONF": str(tmp_path / "slurm" / "slurm.conf")}
    (folder / "state").mkdir(parents=True)
    names = {"host": platform.node().partition(".")[0], "cpus": os.cpu_count(), "folder": folder}
    ports = dict(zip(("control_port", "node_port"), free_ports(2), strict=True))
    (folder / "slurm.conf").write_text(SLURM.format(**names, **ports))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    with ExitStack() as stack:
        for daemon, options in DAEMONS.items():
            command = [str(shutil.which(daemon, path=SEARCHED)), *(option.format(folder=folder) for option in options)]
            log = stack.enter_context((folder / f"{daemon}.out").open("w"))
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            sleep(1)  # munged's socket, and then slurmctld's
        yield environment


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def test_srun(project: Project, slurm: dict[str, str]) -> None:
    check(project, project.run("srun", "--ntasks", "2", "--overcommit", PYTHON, *PYTEST, **slurm))


@pytest.fixture
def hosts() -> Iterator[Callable[[int], list[str]]]:
    """Two network namespaces joined by a veth pair: the words that run a command in the first or the second."""
    if shutil.which("ip") is None or shutil.which("unshare") is None or os.geteuid():
        pytest.skip("two hosts are network namespaces, which need root, ip (iproute2) and unshare (util-linux)")
    names = [f"loaderbench-{os.getpid()}-{number}" for number in range(2)]
    setup = [f"ip netns add {name}" for name in names]
    setup.append(f"ip link add lbva netns {names[0]} type veth peer name lbvb netns {names[1]}")
    for name, link, address in zip(names, ("lbva", "lbvb"), (FIRST, SECOND), strict=True):
        setup += [f"ip -n {name} addr add {address}/24 dev {link}", f"ip -n {name} link set lo up"]
        setup.append(f"ip -n {name} link set {link} up")
    try:
        for command in setup:
            made = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"two network namespaces cannot be made here: {made.stderr.strip()}")
        renamed = 'hostname "$0"; exec "$@"'
        yield lambda host: ["ip", "netns", "exec", names[host], "unshare", "--uts", "sh", "-c", renamed, f"host{host}"]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_torchrun_on_two_hosts(project: Project, hosts: Callable[[int], list[str]]) -> None:
    launch = ("--nnodes", "2", "--nproc-per-node", "1", "--master-addr", FIRST, "--master-port", PORT)
    processes = [
        project.start(
            *hosts(host), PYTHON, *TORCHRUN, *launch, "--node-rank", str(host), *PYTEST, GLOO_SOCKET_IFNAME=link
        )
        for host, link in enumerate(("lbva", "lbvb"))
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    check(project, outputs[0])
    case = project.cases["ranks"]
    assert "cases measured" not in outputs[1]
    assert case["settings"]["nnodes"] == 2
    assert [rank["host"] for rank in case["ranks"]] == ["host0", "host1"]


def test_two_launches_on_one_host_at_once(tmp_path: Path) -> None:
    projects = [Project(folder=tmp_path / name) for name in ("one", "two")]
    for project in projects:
        project.folder.mkdir()
        (project.folder / "launched.py").write_text(THEIRS + USER_MODEL)
    launch = ("--standalone", "--nproc-per-node", "2")
    processes = [project.start(PYTHON, *TORCHRUN, *launch, *PYTEST) for project in projects]
    for project, process in zip(projects, processes, strict=True):
        check(project, process.communicate(timeout=300)[0])

"""Which of the ranks a process is."""

import os
import platform
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_FIRST_PORT, _PORTS = 20_000, 10_000  # of stores whose port nobody chose


@dataclass(frozen=True, kw_only=True, slots=True)
class RankPlace:
    """One rank of `world_size`, the `local_rank`-th on its host. Raises ValueError where a number is out of range."""

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    host: str

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank must be in 0..world_size-1, got {self.rank} of {self.world_size}")
        if not 0 <= self.local_rank < self.local_world_size:
            raise ValueError(
                f"local_rank must be in 0..local_world_size-1, got {self.local_rank} of {self.local_world_size}"
            )

    @classmethod
    def of_torchrun(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the place that torch's elastic launcher wrote into the environment."""
        return cls(
            rank=int(environment["RANK"]),
            world_size=int(environment["WORLD_SIZE"]),
            local_rank=int(environment["LOCAL_RANK"]),
            local_world_size=int(environment["LOCAL_WORLD_SIZE"]),
            host=platform.node(),
        )

    @classmethod
    def of_launcher(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Return the place that ``torchrun``, ``srun`` or Open MPI's ``mpirun`` gave this process; None without one.

        Of Slurm only what ``srun`` starts counts: a batch script has ``SLURM_PROCID`` too, and is one process.
        """
        name = launcher_name(environment)
        if name == "torchrun":
            return cls.of_torchrun(environment)
        if name == "srun":
            numbers = [environment[f"SLURM_{variable}"] for variable in ("PROCID", "STEP_NUM_TASKS", "LOCALID")]
            numbers.append(str(_tasks_of(environment["SLURM_STEP_TASKS_PER_NODE"], int(environment["SLURM_NODEID"]))))
        elif name == "mpirun":
            variables = ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")
            numbers = [environment[f"OMPI_COMM_WORLD_{variable}"] for variable in variables]
        else:
            return None
        rank, world_size, local_rank, local_world_size = map(int, numbers)
        return cls(
            rank=rank,
            world_size=world_size,
            local_rank=local_rank,
            local_world_size=local_world_size,
            host=platform.node(),
        )

    @property
    def is_alone_on_host(self) -> bool:
        """Return whether all ranks are on this host."""
        return self.local_world_size == self.world_size

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}"


def launcher_name(environment: Mapping[str, str]) -> str:
    """Return which launcher has started this process as one of several: torchrun, srun, mpirun, or nothing.

    >>> launcher_name({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"})
    'torchrun'
    >>> launcher_name({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"})
    ''
    """
    known = {
        "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
        "srun": ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE", "SLURM_NODEID"),
        "mpirun": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
    }
    sizes = {"torchrun": "WORLD_SIZE", "srun": "SLURM_STEP_NUM_TASKS", "mpirun": "OMPI_COMM_WORLD_SIZE"}
    for name, variables in known.items():
        if all(variable in environment for variable in variables) and environment[sizes[name]] != "1":
            return name
    return ""


def store_address(place: RankPlace, environment: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Return host and port of the store that all ranks of a launch share.

    They are ``MASTER_ADDR`` and ``MASTER_PORT`` where these are set. Otherwise the port is made of the launch's own
    name, so that two launches on one host have different ones, and the host is this one, or the first of Slurm's step.
    Raises ValueError where neither says it.
    """
    name = launch_name(environment) or str(os.getppid())  # of ranks on one host, mpirun is the parent
    port = int(environment.get("MASTER_PORT") or _FIRST_PORT + zlib.crc32(name.encode()) % _PORTS)
    if host := environment.get("MASTER_ADDR"):
        return host, port
    if place.is_alone_on_host:
        return "127.0.0.1", port
    if nodes := environment.get("SLURM_STEP_NODELIST"):
        return first_node(nodes), port
    raise ValueError("the ranks are on several hosts: set MASTER_ADDR to the host of rank 0, and MASTER_PORT")


def launch_name(environment: Mapping[str, str] = os.environ) -> str:
    """Return what the launcher calls this launch, on all hosts alike; nothing where it does not say.

    >>> launch_name({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}), launch_name({"TORCHELASTIC_RUN_ID": "f3"})
    ('7 0', 'f3')
    """
    names = ("SLURM_JOB_ID", "SLURM_STEP_ID", "PMIX_NAMESPACE", "TORCHELASTIC_RUN_ID")
    return " ".join(environment[name] for name in names if environment.get(name))


def first_node(nodes: str) -> str:
    """Return the first host of a list as Slurm writes it.

    >>> first_node("node[07-09,12],login1"), first_node("gpu3,gpu4")
    ('node07', 'gpu3')
    """
    name, bracket, rest = re.split(r",(?![^\[]*\])", nodes)[0].partition("[")
    return name + re.split(r"[-,\]]", rest)[0] if bracket else name


def _tasks_of(tasks: str, node: int) -> int:
    """Return the tasks of the host `node`, of all as Slurm writes them.

    >>> _tasks_of("2(x3),1", 2), _tasks_of("2(x3),1", 3), _tasks_of("4", 0)
    (2, 1, 4)
    """
    counts: list[int] = []
    for part in tasks.split(","):
        number, _, times = part.partition("(x")
        counts += [int(number)] * int(times.rstrip(")") or 1)
    return counts[node]

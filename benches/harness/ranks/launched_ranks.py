"""The ranks of a case where a launcher has started them: each is forked by a process of pytest that was there already.

``torchrun``, ``srun`` or ``mpirun`` start pytest once for each rank. Rank 0's process of a case asks all of them, as it
asks ranks that the elastic launcher started (`Coordinator`).
"""

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from typing import Self

import psutil
from torch import distributed
from torch._C._distributed_c10d import Store, TCPStore

from loaderbench.benches.harness.failures.failure_line import shortened
from loaderbench.benches.harness.failures.position import dump_folder
from loaderbench.benches.harness.ranks.elastic_ranks import ENDS_WITHIN_S, Make, serve_as
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.requests import CONNECTS_WITHIN_S, Coordinator, Endpoint, connected_store
from loaderbench.benches.harness.system.child import dies_with_parent, end_openmp_threads

_FORK = get_context("fork")


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchedCase:
    """One case on ranks that a launcher has started: which of them this process is, and the store of the case."""

    place: RankPlace
    endpoint: Endpoint
    timeout_s: float

    def start(self, make: Make, stack: ExitStack) -> Coordinator:
        """Return what asks all ranks, in rank 0's process of the case; its own rank is a process forked from it."""
        own = stack.enter_context(OwnRank(self, make))
        return Coordinator(store=own.store, processes=own, world_size=self.place.world_size, timeout_s=self.timeout_s)

    def follow(self, make: Make) -> None:
        """Answer as this rank until rank 0 ends the case; in a process that then ends."""
        has_threads = not end_openmp_threads()
        serve_as(self.place, self.endpoint, make, has_threads=has_threads, timeout_s=self.timeout_s)

    def report_death(self, why: str) -> None:
        """Tell rank 0 that the process of this rank has died."""
        with suppress(Exception):  # rank 0 may have gone as well
            self.endpoint.connect().set(f"dead/{self.place.rank}", shortened(why))


class OwnRank:
    """Rank 0 of a launched case, in a process forked from that of the case."""

    def __init__(self, case: LaunchedCase, make: Make) -> None:
        self._case, self._make = case, make

    def __enter__(self) -> Self:
        dump_folder()  # made here, and so removed here: a rank may be killed
        has_threads = not end_openmp_threads()
        self._process = _FORK.Process(target=_serve_own, args=(self._case, self._make, has_threads), daemon=False)
        self._process.start()
        self.store = self._case.endpoint.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.join(ENDS_WITHIN_S if exception[0] is None else 0.0)
        if self._process.is_alive():
            below = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            self._process.join()
            for process in below:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.close()

    def death(self) -> tuple[int | None, str] | None:
        """Return which rank has died, and how; None while all live."""
        if not self._process.is_alive():
            return 0, f"its process ended with exit code {self._process.exitcode}"
        for rank in range(1, self._case.place.world_size):
            if self.store.check([f"dead/{rank}"]):
                return rank, self.store.get(f"dead/{rank}").decode()
        return None

    def is_here(self, rank: int) -> bool:
        """Return whether a rank is on this host."""
        return rank < self._case.place.local_world_size


def _serve_own(case: LaunchedCase, make: Make, has_threads: bool) -> None:
    dies_with_parent()
    serve_as(case.place, case.endpoint, make, has_threads=has_threads, timeout_s=case.timeout_s)


def shared_store(place: RankPlace, host: str, port: int, timeout_s: float = CONNECTS_WITHIN_S) -> Store:
    """Return the store that all ranks of a launch share: the launcher's own, or one that rank 0 keeps.

    Raises ValueError saying what to do where it cannot be had within `timeout_s`.
    """
    is_launchers = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    is_ours = place.rank == 0 and not is_launchers
    try:
        if not is_ours:
            return connected_store(host, port, timeout_s)
        return TCPStore(host, port, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=timeout_s))
    except distributed.DistError as error:
        what = "opened" if is_ours else "reached"
        why = shortened(str(error).partition("\n")[0], 160)
        raise ValueError(
            f"{place}: the store at {host}:{port} cannot be {what} ({why}); set MASTER_ADDR to the host of rank 0, and "
            "MASTER_PORT to a port that is free there"
        ) from error

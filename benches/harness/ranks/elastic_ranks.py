"""The ranks of a case on this host, started by torch's elastic launcher, the engine of ``torchrun``.

They are forked by a launcher process, which is forked by the case's own: each has the dataset as its constructor left
it. The launcher starts no rank again, and ends all of them when one dies.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from tempfile import TemporaryDirectory
from typing import Any, Self
from uuid import uuid4

import psutil
import torch
from torch._C._distributed_c10d import Store, TCPStore
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from loaderbench.benches.harness.failures.position import dump_folder
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.requests import CONNECTS_WITHIN_S, Endpoint, serve
from loaderbench.benches.harness.system.child import dies_with_parent, end_openmp_threads

LOOPBACK = "127.0.0.1"
ENDS_WITHIN_S = 10.0  # once the ranks have been told to leave
_LOOKS_EVERY_S = 0.1  # the launcher, whether a rank has died
_FORK = get_context("fork")

Make = Callable[[RankPlace, Store], Any]
"""Makes what a rank serves."""


class ElasticRanks:
    """`count` ranks on this host, for as long as the context is open; at its end none of their processes is left."""

    def __init__(self, count: int, make: Make) -> None:
        self._count, self._make = count, make
        self._death: tuple[int | None, str] | None = None

    def __enter__(self) -> Self:
        # Port 0: the system gives a port that is free, to this store alone, so that two runs never take the same.
        self.store = TCPStore(
            LOOPBACK, 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=CONNECTS_WITHIN_S)
        )
        endpoint = Endpoint(host=LOOPBACK, port=self.store.port)
        has_threads = not end_openmp_threads()
        self._result, there = _FORK.Pipe(duplex=False)
        dump_folder()  # made here, and so removed here: a rank may be killed
        self._logs = TemporaryDirectory(prefix="loaderbench-ranks-", ignore_cleanup_errors=True)  # so may the launcher
        arguments = (self._count, endpoint, self._make, there, self._logs.name, has_threads)
        self._launcher: ForkProcess = _FORK.Process(target=_launch, args=arguments, daemon=False)
        self._launcher.start()
        there.close()
        return self

    def __exit__(self, *exception: object) -> None:
        self._launcher.join(ENDS_WITHIN_S if exception[0] is None else 0.0)
        if self._launcher.is_alive():
            process = psutil.Process(self._launcher.pid)
            below = process.children(recursive=True)
            for doomed in (process, *below):
                with suppress(psutil.NoSuchProcess):
                    doomed.kill()
            self._launcher.join()
            psutil.wait_procs(below, timeout=ENDS_WITHIN_S)
        self._launcher.close()
        self._logs.cleanup()
        self._result.close()
        del self.store

    def death(self) -> tuple[int | None, str] | None:
        """Return which rank has died, and how; None while all live."""
        if self._death is None and self._result.poll():
            with suppress(EOFError):
                self._death = self._result.recv()
        if self._death is None and not self._launcher.is_alive():
            self._death = (None, f"the launcher of the ranks ended with exit code {self._launcher.exitcode}")
        return self._death

    def is_here(self, rank: int) -> bool:  # noqa: ARG002 - any
        """Return whether a rank is on this host."""
        return True


def _launch(count: int, endpoint: Endpoint, make: Make, result: Connection, logs: str, has_threads: bool) -> None:
    """Run the ranks, and send which of them died, and how; nothing where all have ended."""
    dies_with_parent()
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # we say what there is to say
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
        start_method="fork",
        monitor_interval=_LOOKS_EVERY_S,
        signals_to_handle="SIGTERM",
        shutdown_timeout=1,
        logs_specs=DefaultLogsSpecs(log_dir=logs),
    )
    try:
        elastic_launch(config, _serve_here)(endpoint, make, has_threads)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        result.send((int(rank), _how_it_died(failure.exitcode)))
    except Exception as error:  # noqa: BLE001 - of any kind: the coordinator says which
        result.send((None, f"the launcher of the ranks raised {type(error).__name__}: {error}"))


def _how_it_died(exitcode: int) -> str:
    if exitcode < 0:
        return f"its process was killed by {signal.Signals(-exitcode).name}"
    return f"its process ended with exit code {exitcode}"


def _serve_here(endpoint: Endpoint, make: Make, has_threads: bool) -> None:
    """Be a rank: the environment says which."""
    dies_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the launcher's own handler is inherited
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve_as(RankPlace.of_torchrun(), endpoint, make, has_threads=has_threads)


def serve_as(
    place: RankPlace, endpoint: Endpoint, make: Make, *, has_threads: bool, timeout_s: float | None = None
) -> None:
    """Answer as one rank until told to leave, as `serve` does; its process is then to end at once."""
    if "OMP_NUM_THREADS" not in os.environ or has_threads:
        torch.set_num_threads(1)  # as torchrun sets it for more than one process
    if place.is_alone_on_host and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # not by the host's name, which may lead nowhere
    store = endpoint.connect()
    serve(store, place, lambda: make(place, store), timeout_s)

"""The ranks of a case as actors of Ray: one each, as many on every node of the cluster, in one placement group.

What a rank is to make travels pickled, the dataset as its constructor left it; the user's modules must be importable on
every node, as under any launcher. An actor answers the same requests as any rank (`requests`): Ray starts it, places
it, and says when it has died. It is never started again.
"""

import os
import pickle
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, Self

from torch._C._distributed_c10d import Store, TCPStore

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.failure_line import CaseFailedError, shortened
from loaderbench.benches.harness.ranks.elastic_ranks import ENDS_WITHIN_S, Make, serve_as
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.requests import CONNECTS_WITHIN_S, Endpoint
from loaderbench.benches.harness.system.child import ChildError, dies_with_parent, in_child

_LOOKS_EVERY_S = 0.1  # whether an actor has died
_REACHED_WITHIN_S = 10.0  # Ray itself tries for minutes
_ANSWERS_WITHIN_S = 60.0  # a cluster that is asked for its nodes
_STORE_BYTES = 80 * 2**20  # the least that Ray takes for its objects: nothing of ours goes there
# Of a cluster of our own: it reports nothing to Ray's makers, and takes orders only from who knows its token.
LOCAL_ENVIRONMENT: Mapping[str, str] = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
_SILENT: Mapping[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": "ERROR"}


class RayCluster:
    """A cluster of Ray on this host alone, with `cpus` to give away, for as long as the context is open."""

    def __init__(self, cpus: int) -> None:
        self._cpus = cpus

    def __enter__(self) -> Self:
        context = _ray().init(
            address="local",
            num_cpus=self._cpus,
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            **_SILENT,
        )
        self._address = str(context.address_info["gcs_address"])
        return self

    def __exit__(self, *_: object) -> None:
        _ray().shutdown()

    def address(self) -> str:
        """Return host and port that others connect to."""
        return self._address


class RayRanks:
    """`nproc_per_node` ranks on each node of the cluster at `address`, for as long as the context is open."""

    def __init__(self, address: str, nproc_per_node: int, make: Make, *, has_cuda: bool) -> None:
        self._address, self._nproc_per_node, self._make, self._has_cuda = address, nproc_per_node, make, has_cuda
        self._looked_s = 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._ray = _connected(self._address)
            stack.callback(self._ray.shutdown)
            made = self._pickled()
            nodes = _alive(self._ray)
            self._group = self._placed(len(nodes))
            own_ip = self._ray.util.get_node_ip_address()
            self.store = TCPStore(
                own_ip, 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=CONNECTS_WITHIN_S)
            )
            bundles = self._ray.util.placement_group_table(self._group)["bundles_to_node_id"]
            self._places = places([str(bundles[number]) for number in range(len(nodes))], nodes, self._nproc_per_node)
            ips = [str(nodes[bundles[number]]["NodeManagerAddress"]) for number in range(len(nodes))]
            self._is_here = [ips[rank // self._nproc_per_node] == own_ip for rank in range(len(self._places))]
            self._actors = [self._actor(rank // self._nproc_per_node) for rank in range(len(self._places))]
            endpoint = Endpoint(host=own_ip, port=self.store.port)
            self._served = [
                actor.serve.remote(place, endpoint, made, str(Path.cwd()))
                for actor, place in zip(self._actors, self._places, strict=True)
            ]
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._opened:
            if exception[0] is None:
                self._ray.wait(self._served, num_returns=len(self._served), timeout=ENDS_WITHIN_S)
            for actor in self._actors:
                self._ray.kill(actor)
            self._ray.util.remove_placement_group(self._group)
        del self.store

    @property
    def world_size(self) -> int:
        """Return the ranks of all nodes."""
        return len(self._places)

    def death(self) -> tuple[int | None, str] | None:
        """Return which rank has died, and how; None while all live."""
        if monotonic() - self._looked_s < _LOOKS_EVERY_S:
            return None
        self._looked_s = monotonic()
        ended, _ = self._ray.wait(self._served, num_returns=len(self._served), timeout=0)
        for rank, served in enumerate(self._served):
            if served in ended:
                try:
                    self._ray.get(served)
                except self._ray.exceptions.RayError as error:
                    return rank, how_it_died(str(error))
        return None

    def is_here(self, rank: int) -> bool:
        """Return whether a rank is on this host."""
        return bool(self._is_here[rank])

    def _pickled(self) -> bytes:
        from ray import cloudpickle  # type: ignore[import-not-found]  # noqa: PLC0415 - Ray is an extra

        try:
            return bytes(cloudpickle.dumps(self._make))
        except Exception as error:
            why = f"{type(error).__name__}: {shortened(str(error), 200)}"
            raise CaseFailedError(f"--launcher ray sends dataset and loader to its actors, pickled: {why}") from error

    def _placed(self, nodes: int) -> Any:
        """Return a placement group with a bundle for each node."""
        bundle = {"CPU": self._nproc_per_node, **({"GPU": self._nproc_per_node} if self._has_cuda else {})}
        group = self._ray.util.placement_group([bundle] * nodes, strategy="STRICT_SPREAD")
        if not group.wait(CONNECTS_WITHIN_S):
            free = {name: amount for name, amount in self._ray.available_resources().items() if name in ("CPU", "GPU")}
            raise CaseFailedError(
                f"Ray has no place for {self._nproc_per_node} ranks on each of {nodes} nodes within "
                f"{CONNECTS_WITHIN_S:g} s: a rank takes one CPU{' and one GPU' * self._has_cuda}, free are {free}"
            )
        return group

    def _actor(self, bundle: int) -> Any:
        from ray.util.scheduling_strategies import (  # type: ignore[import-not-found]  # noqa: PLC0415 - an extra
            PlacementGroupSchedulingStrategy,
        )

        there = PlacementGroupSchedulingStrategy(
            placement_group=self._group, placement_group_bundle_index=bundle, placement_group_capture_child_tasks=False
        )
        resources: dict[str, Any] = {"num_cpus": 1}
        if self._has_cuda:  # a rank chooses its device by its number, as under any launcher
            seen = {"env_vars": {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}}
            resources |= {"num_gpus": 1, "runtime_env": seen}
        return self._ray.remote(RankActor).options(scheduling_strategy=there, max_restarts=0, **resources).remote()


class RankActor:
    """One rank, in the process of an actor."""

    def serve(self, place: RankPlace, endpoint: Endpoint, made: bytes, folder: str) -> None:
        """Answer as the rank `place` until told to leave, in the `folder` that pytest runs in, where it is there."""
        with suppress(OSError):
            os.chdir(folder)
        os.register_at_fork(after_in_child=dies_with_parent)  # its workers, however its process ends
        serve_as(place, endpoint, lambda place, store: _made(made, place, store), has_threads=False)


def _made(made: bytes, place: RankPlace, store: Store) -> Any:
    return pickle.loads(made)(place, store)  # noqa: S301 - by our own process


def places(bundles: Sequence[str], nodes: Mapping[str, Mapping[str, Any]], nproc_per_node: int) -> list[RankPlace]:
    """Return the place of each rank, where the bundle of each node is at the node of that id.

    Nodes that share a host are told apart by the first digits of their ids.

    >>> nodes = {"a1b2c3d4e5": {"NodeManagerHostname": "gpu1"}, "f6": {"NodeManagerHostname": "gpu2"}}
    >>> [(str(place), place.local_rank) for place in places(["f6", "a1b2c3d4e5"], nodes, 2)]
    [('rank 0 on gpu2', 0), ('rank 1 on gpu2', 1), ('rank 2 on gpu1', 0), ('rank 3 on gpu1', 1)]
    >>> nodes["f6"] = {"NodeManagerHostname": "gpu1"}
    >>> str(places(["a1b2c3d4e5", "f6"], nodes, 1)[0])
    'rank 0 on gpu1 (node a1b2c3d4)'
    """
    hosts = [str(nodes[bundle]["NodeManagerHostname"]) for bundle in bundles]
    if len(set(hosts)) < len(hosts):
        hosts = [f"{host} (node {bundle[:8]})" for host, bundle in zip(hosts, bundles, strict=True)]
    return [
        RankPlace(
            rank=number * nproc_per_node + local_rank,
            world_size=len(hosts) * nproc_per_node,
            local_rank=local_rank,
            local_world_size=nproc_per_node,
            host=host,
        )
        for number, host in enumerate(hosts)
        for local_rank in range(nproc_per_node)
    ]


def how_it_died(words: str) -> str:
    """Return what Ray says of an actor that has died, in one line.

    >>> how_it_died("The actor died unexpectedly before finishing this task.")
    'its actor died unexpectedly'
    """
    line = words.strip().partition("\n")[0].replace(" before finishing this task.", "")
    return shortened(line.replace("The actor", "its actor"), 200)


def ray_settings() -> dict[str, int]:
    """Return what identifies cases that Ray starts beside their own settings: its nodes, if several.

    Raises RefusedError as `cluster_nodes` does.
    """
    nodes = cluster_nodes(os.environ.get("RAY_ADDRESS", ""))
    return {"nnodes": nodes} if nodes > 1 else {}


@cache
def cluster_nodes(address: str) -> int:
    """Return how many nodes the cluster at `address` has; asked once, in a process of its own.

    Raises RefusedError where Ray is not installed, or does not reach the cluster.
    """
    if find_spec("ray") is None:
        raise RefusedError("--launcher ray needs Ray: pip install 'loaderbench[ray]'")
    if not address:
        return 1
    if address.startswith("ray://"):
        raise RefusedError(f"RAY_ADDRESS={address}: run pytest on a node of the cluster, with RAY_ADDRESS=auto there")
    try:
        _check_listens(address)
        return in_child(lambda: _count_nodes(address), timeout_s=_ANSWERS_WITHIN_S)
    except (ChildError, CaseFailedError, OSError) as error:
        raise RefusedError(f"RAY_ADDRESS={address}: no cluster of Ray answers there: {error}") from error


def _check_listens(address: str) -> None:
    """Raise OSError where `address` is host and port, and nothing listens there."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_REACHED_WITHIN_S).close()


def _count_nodes(address: str) -> int:
    return len(_alive(_connected(address)))


def _connected(address: str) -> ModuleType:
    """Return Ray, connected to the cluster at `address`; raises CaseFailedError."""
    ray = _ray()
    try:
        ray.init(address=address, **_SILENT)
    except Exception as error:
        why = f"{type(error).__name__}: {shortened(str(error), 200)}"
        raise CaseFailedError(f"the cluster of Ray at {address} cannot be reached: {why}") from error
    return ray


def _alive(ray: ModuleType) -> dict[str, Mapping[str, Any]]:
    """Return the nodes that are alive, by their ids."""
    return {str(node["NodeID"]): node for node in ray.nodes() if node["Alive"]}


def _ray() -> ModuleType:
    import ray  # noqa: PLC0415 - an extra, and it takes seconds

    return ray  # type: ignore[no-any-return]

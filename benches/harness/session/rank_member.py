"""A session that a launcher has started as one of several: rank 0 decides, writes and prints; the others follow.

What rank 0 decides (numbers, cases and their order) the others read from a TCPStore. No collective is used: a rank that
has died, or failed to collect, ends nobody else's session without a word.
"""

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import Any, TextIO

import pytest
from torch import distributed
from torch._C._distributed_c10d import PrefixStore, Store

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.failure_line import shortened
from loaderbench.benches.harness.ranks.launched_ranks import LaunchedCase, shared_store
from loaderbench.benches.harness.ranks.rank_place import RankPlace, launch_name, launcher_name, store_address
from loaderbench.benches.harness.ranks.requests import Endpoint, release

COLLECTED_WITHIN = timedelta(minutes=10)  # after the first rank: datasets are built, and packages imported
ENDED_WITHIN = timedelta(minutes=2)  # all ranks, after rank 0
_EXITS_AFTER_S = 1.0  # a follower that has failed: torchrun ends rank 0 as soon as another rank exits so
WRITERS = ("lfplugin", "nfplugin", "stepwiseplugin")  # of pytest's, which write for the next run


@dataclass(slots=True, eq=False)  # pytest keeps its plugins in sets
class RankMember:
    """One process of pytest of a launch; it is the session's `Peers`, and a plugin of its own."""

    place: RankPlace
    launcher: str
    endpoint: Endpoint
    store: Store
    fault: str = ""
    """Why this rank cannot run what the others can."""
    _asked: Counter[str] = field(default_factory=Counter)
    _silent: TextIO | None = None

    @classmethod
    def of_launcher(cls) -> "RankMember | None":
        """Return what this process is in its launch; None where it was started alone. Raises RefusedError."""
        try:
            place = RankPlace.of_launcher()
            if place is None:
                return None
            host, port = store_address(place)
            store = shared_store(place, host, port)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        endpoint = Endpoint(host=host, port=port, prefix=f"loaderbench/{launch_name()}")
        own = PrefixStore(endpoint.prefix, store)
        return cls(place=place, launcher=launcher_name(os.environ), endpoint=endpoint, store=own)

    @property
    def is_follower(self) -> bool:
        """Return whether another rank decides, writes and prints."""
        return self.place.rank != 0

    @property
    def settings(self) -> dict[str, int]:
        """Return what identifies the cases of this launch beside their own settings: its hosts, if several."""
        hosts = math.ceil(self.place.world_size / self.place.local_world_size)
        return {"nnodes": hosts} if hosts > 1 else {}

    def agree(self, what: str, value: int) -> int:
        """Return rank 0's number."""
        self._asked[what] += 1
        key = f"agree/{what}/{self._asked[what]}"
        if not self.is_follower:
            self.store.set(key, str(value))
        return int(self._get(key, COLLECTED_WITHIN))

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the names of the cases, in rank 0's order; raises RefusedError where a rank lacks one."""
        names = [str(case["name"]) for case in cases]
        if not self.is_follower:
            self.store.set("plan", json.dumps(names))
            return names
        plan: list[str] = json.loads(self._get("plan", COLLECTED_WITHIN))
        if missing := sorted(set(plan) - set(names)):
            raise RefusedError(f"{self.place}: it has no case {missing[0]}")
        return plan

    def wait(self, case: str, round_: int) -> None:
        """Return at once: ranks begin a round together in the processes of the case."""

    def leave(self) -> None:
        """Return at once: ranks leave at the end of the session."""

    def case(self, name: str, timeout_s: float) -> LaunchedCase:
        """Return a case as its ranks see it."""
        prefix = f"{self.endpoint.prefix}/case/{name}"
        endpoint = Endpoint(host=self.endpoint.host, port=self.endpoint.port, prefix=prefix)
        return LaunchedCase(place=self.place, endpoint=endpoint, timeout_s=timeout_s)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Silence every rank but the first: it writes nothing, and shows nothing."""
        if not self.is_follower:
            return
        plugins = session.config.pluginmanager
        if (terminal := plugins.get_plugin("terminalreporter")) is not None:
            self._silent = terminal._tw._file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SLF001, SIM115 - until the end
        for name in WRITERS:
            plugins.unregister(name=name)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell rank 0 that this rank cannot take part in a case."""
        if self.is_follower and report.failed:
            why = shortened(str(report.longrepr).strip().splitlines()[-1], 300)
            self._store_of(report.nodeid).set(f"dead/{self.place.rank}", why)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Let the other ranks leave a case, however it ended on rank 0: it may never have asked them anything."""
        if not self.is_follower:
            release(self._store_of(nodeid))

    def _store_of(self, nodeid: str) -> Store:
        return PrefixStore(f"case/{nodeid.partition('::')[2]}", self.store)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note why this rank cannot collect."""
        if report.failed and not self.fault:
            self.fault = shortened(str(report.longrepr).strip().splitlines()[-1], 300)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the cases of many ranks: others ask about one process. Stop all ranks where one cannot collect."""
        kept = [item for item in items if "nproc_per_node" in getattr(getattr(item, "callspec", None), "params", ())]
        dropped = [item for item in items if item not in kept]
        if dropped:
            items[:] = kept
            config.hook.pytest_deselected(items=dropped)
        self.tell()
        if not self.is_follower and (fault := self._first_fault()):
            self.store.set("refused", fault)
            raise pytest.UsageError(fault)
        if not self.is_follower:
            self.store.set("refused", "")
        elif self._get("refused", COLLECTED_WITHIN):
            pytest.exit("another rank cannot run what this one can", returncode=pytest.ExitCode.USAGE_ERROR)

    def tell(self, fault: str = "") -> None:
        """Tell the other ranks that this one has collected, or why it cannot."""
        fault = fault or self.fault
        line = f"{self.place}: {fault}" if fault else ""
        self.store.set(f"collected/{self.place.rank}", line)
        if not line:
            return
        self.store.set(f"exit/{self.place.rank}", str(int(pytest.ExitCode.USAGE_ERROR)))
        if self.is_follower:
            sys.stderr = self._silent or sys.stderr  # rank 0 says it
        else:
            self.store.set("refused", line)

    def _first_fault(self) -> str:
        keys = [f"collected/{rank}" for rank in range(self.place.world_size)]
        with suppress(distributed.DistStoreError):
            self.store.wait(keys, COLLECTED_WITHIN)
        for rank, key in enumerate(keys):
            if not self.store.check([key]):
                return f"rank {rank} has not collected the cases within {COLLECTED_WITHIN}"
            if fault := self.store.get(key).decode():
                return fault
        return ""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Exit with the worst code of all ranks."""
        session.exitstatus = self.worst(int(session.exitstatus))

    def worst(self, status: int) -> int:
        """Return the worst exit code of all ranks, of which this one's is `status`."""
        keys = [f"exit/{rank}" for rank in range(self.place.world_size)]
        with suppress(distributed.DistError):  # a rank has gone without a word: its launcher says so
            self.store.set(keys[self.place.rank], str(status))
            self.store.wait(keys, ENDED_WITHIN)
            return max(int(self.store.get(key)) for key in keys)
        return max(status, 1)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Leave after rank 0, which has a record to write: torchrun ends it where another rank has exited badly."""
        with suppress(distributed.DistError):
            if self.is_follower:
                self.store.wait(["over"], ENDED_WITHIN)
                sleep(_EXITS_AFTER_S)
            else:
                self.store.set("over", "")

    def _get(self, key: str, within: timedelta) -> str:
        try:
            self.store.wait([key], within)
            return self.store.get(key).decode()
        except distributed.DistError as error:
            raise RefusedError(f"{self.place}: rank 0 has said nothing for {within}, or has gone") from error

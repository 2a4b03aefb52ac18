"""Two processes that measure the same cases, round by round, and never at the same time.

`loaderbench gate` starts one process for each revision, with ``--lockstep FD``: the descriptor of a socket whose other
end its scheduler (`benches/gate/scheduler.py`) holds. Each process sends a question as a JSON object and blocks in
``read`` until the scheduler answers, so that a process which waits for its turn does nothing at all. Whatever takes
time (building datasets, warming up, measuring, ending workers) happens within a turn. While one measures, the other
waits; what is not measured, set-up and the end of a case, both may do at once.

=======================================================  ================================================
question                                                 answer
=======================================================  ================================================
``{"agree": "samples of images", "value": 512}``         the number that both processes use
``{"cases": [{"name", "bench", "settings"}, …],``        names of the cases to measure, in order
``"origins": {name: file}, "instrument": {…}}``
``{"case": "bench_epoch[…]", "round": 0}``               ``true``, once it is this process's turn; in the
                                                         place of a round, ``SET_UP`` or ``TEAR_DOWN``
                                                         (``turns.py``)
``{"leave": true, "voluntary_switches": 9, …}``          none: the scheduler ends the process, as an orderly
                                                         exit takes seconds, and a core
=======================================================  ================================================

It is one kind of `Peers` (``peers.py``); the ranks of a launch are another.
"""

import hashlib
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from loaderbench.datasets import validation
from loaderbench.datasets.catalog import CATALOG


class Lockstep:
    """This process of two, on the socket `descriptor`: the session's `Peers`."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)

    def agree(self, what: str, value: int) -> int:
        """Return what the process that asked first chose."""
        return int(self._ask(agree=what, value=value))

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Return the cases that both processes have; tells which files the code under test comes from."""
        used = {str(case["settings"].get(setting)) for case in cases for setting in ("dataset", "collate_fn", "model")}
        origins = {name: origin(name) for name in sorted(used) if name in CATALOG or ":" in name}
        instrument = {"version": version("loaderbench"), "digest": digest()}
        return [str(name) for name in self._ask(cases=list(cases), origins=origins, instrument=instrument)]

    def wait(self, case: str, round_: int) -> None:
        """Block until the scheduler grants the turn."""
        self._ask(case=case, round=round_)

    def leave(self) -> None:
        """Block until the scheduler ends this process."""
        self._ask(leave=True, **context_switches())

    def _ask(self, **question: Any) -> Any:
        self._connection.send_bytes(json.dumps(question).encode())
        return json.loads(self._connection.recv_bytes())


def context_switches() -> dict[str, int]:
    """Return the context switches of this process and of all that have ended below it: its cases and their workers."""
    usages = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "voluntary_switches": sum(usage.ru_nvcsw for usage in usages),
        "involuntary_switches": sum(usage.ru_nivcsw for usage in usages),
    }


def origin(name: str) -> str:
    """Return the file of the module that holds `name`, as the command line writes it, once that has been loaded."""
    module = CATALOG[name].build.__module__ if name in CATALOG else name.partition(":")[0]
    return str(getattr(sys.modules[module], "__file__", None) or "")


@cache
def digest() -> str:
    """Return a hash of the source of the benches and the datasets, which tells one loaderbench from another."""
    folders = [Path(__file__).parents[2], Path(validation.__file__).parent]
    files = sorted((file.relative_to(folder).as_posix(), file) for folder in folders for file in folder.rglob("*.py"))
    source = hashlib.sha256()
    for name, file in files:
        source.update(name.encode() + file.read_bytes())
    return source.hexdigest()[:16]

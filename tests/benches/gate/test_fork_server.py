"""Fork servers: what a forked process has, how it ends, and when servers are renewed."""

import os
import subprocess
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socketpair
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from loaderbench.benches.gate.blocks import NO_OTHER_PLUGINS
from loaderbench.benches.gate.fork_server import ForkedProcess, ForkServer, ForkServers, ProcessEndedError
from loaderbench.benches.gate.fork_server_main import PLUGINS
from loaderbench.benches.gate.revisions import Revision

THEIRS = """
import os, sys, time

def test_them():
    import theirs
    print(theirs.__file__, os.getcwd(), os.environ["PYTHONPATH"], "torch" in sys.modules)
    time.sleep(float(os.environ.get("SLEEP_S", "0")))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A revision's folder, with a module and a test in it."""
    folder = tmp_path_factory.mktemp("revision")
    (folder / "theirs.py").touch()
    (folder / "test_theirs.py").write_text(THEIRS)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """A server that has nothing to do with that folder."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    server = ForkServer.start(Revision(name="head", label="made up"), {**os.environ, **NO_OTHER_PLUGINS}, elsewhere)
    yield server
    server.end()


def forked(server: ForkServer, folder: Path, **environment: str) -> tuple[ForkedProcess, Connection]:
    revision = Revision(name="head", label="made up", folder=folder, root=folder, environment=environment)
    plugins = [word for plugin in PLUGINS for word in ("-p", plugin)]
    arguments = [*plugins, "-q", "-s", "-p", "no:cacheprovider", "--import-mode=importlib", "test_theirs.py"]
    ours, theirs = socketpair()
    with theirs:
        process = server.fork(revision, arguments, folder / "log", theirs.fileno())
    return process, Connection(ours.detach())


def left(process: ForkedProcess, connection: Connection) -> int:
    """The exit code of a process that is let go."""
    with connection:
        assert b"leave" in connection.recv_bytes()
        connection.send_bytes(b"true")
        return process.wait(100)


def test_a_forked_process_finds_the_code_of_its_own_revision(server: ForkServer, folder: Path) -> None:
    process, connection = forked(server, folder)
    assert left(process, connection) == process.poll() == 0
    printed = (folder / "log").read_text()
    assert f"{folder / 'theirs.py'} {folder} {folder}" in printed
    assert "True" in printed


def test_a_process_that_is_ended_is_gone_and_the_server_forks_another(server: ForkServer, folder: Path) -> None:
    process, connection = forked(server, folder, SLEEP_S="100")
    assert process.poll() is None
    process.end()
    assert process.poll() == -9
    assert not psutil.pid_exists(process.pid)
    connection.close()
    assert left(*forked(server, folder)) == 0


def test_a_process_that_goes_on_is_not_waited_for_longer_than_asked(server: ForkServer, folder: Path) -> None:
    process, connection = forked(server, folder, SLEEP_S="100")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    process.end()
    connection.close()


def test_an_interpreter_without_loaderbench_does_not_start(tmp_path: Path) -> None:
    without = tmp_path / "python"
    without.write_text("#!/bin/sh\necho ModuleNotFoundError: no loaderbench\n")
    without.chmod(0o755)
    server = ForkServer.start(Revision(name="base", label="old", python=str(without)), {}, tmp_path)
    with pytest.raises(ProcessEndedError, match=r"base \(old\) does not start: ModuleNotFoundError: no loaderbench"):
        forked_base(server, tmp_path)
    server.end()


def test_a_server_that_was_killed_forks_nothing_and_says_so(tmp_path: Path) -> None:
    revision = Revision(name="base", label="old")
    server = ForkServer.start(revision, {**os.environ, **NO_OTHER_PLUGINS}, tmp_path)
    assert left(*forked(server, tmp_path)) == 4  # of pytest: there is no such test
    server.process.kill()
    server.process.wait()
    with pytest.raises(ProcessEndedError, match=r"base \(old\) does not start: "):
        forked_base(server, tmp_path)
    server.end()


def forked_base(server: ForkServer, folder: Path) -> None:
    with socketpair()[0] as theirs:
        server.fork(Revision(name="base", label="old", folder=folder), [], folder / "log", theirs.fileno())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every server that is started, made up."""
    started: list[Any] = []

    def start(revision: Revision, environment: dict[str, str], _folder: Path) -> Any:
        process = SimpleNamespace(poll=lambda: None)
        made_up = SimpleNamespace(python=revision.python, environment=environment, process=process, end=lambda: None)
        started.append(made_up)
        return started[-1]

    monkeypatch.setattr(ForkServer, "start", start)
    return started


def revisions(*pythons: str) -> list[Revision]:
    return [
        Revision(name=name, label="", python=python) for name, python in zip(("base", "head"), pythons, strict=True)
    ]


def test_servers_are_renewed_after_so_many_blocks(started: list[Any], tmp_path: Path) -> None:
    servers, seeds = ForkServers(renewed_after=2), iter("abc")
    for _block in range(5):
        servers.pair(revisions("python", "python"), lambda: {"PYTHONHASHSEED": next(seeds)}, tmp_path)
    assert [server.environment["PYTHONHASHSEED"] for server in started] == ["a", "a", "b", "b", "c", "c"]
    assert servers.started == 3


def test_servers_of_which_one_has_ended_are_renewed(started: list[Any], tmp_path: Path) -> None:
    servers = ForkServers(renewed_after=4)
    for _block in range(2):
        servers.pair(revisions("python", "python"), dict, tmp_path)
    started[1].process.poll = lambda: -9
    servers.pair(revisions("python", "python"), dict, tmp_path)
    assert servers.started == 2


@pytest.mark.parametrize(
    ("pythons", "is_exchanged"), [(("same", "same"), True), (("old", "new"), False)], ids=["one interpreter", "two"]
)
def test_from_block_to_block_a_server_is_the_other_revisions_where_both_have_one_interpreter(
    pythons: tuple[str, str], is_exchanged: bool, started: list[Any], tmp_path: Path
) -> None:
    servers = ForkServers(renewed_after=4)
    given = [servers.pair(revisions(*pythons), dict, tmp_path) for _block in range(4)]
    one, other = started
    assert given == [[one, other], [other, one] if is_exchanged else [one, other]] * 2

"""The history: every run once, whoever adds it; on SQLite, and where the two may differ on a real PostgreSQL too."""

import glob
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from preloaded import LOADERBENCH, Running, environment

from loaderbench.benches.cli import main as cli
from loaderbench.reports.history import database as databases
from loaderbench.reports.history import queries, trends
from loaderbench.reports.history.database import CASES, RUNS, VALUES, VERSIONS, HistoryError, opened
from loaderbench.reports.records import frame as records
from loaderbench.reports.records.files import RecordedRun, read_run

ROOT = os.getuid() == 0
EACH, APART = 20, 10  # runs of a writer; they begin 10 after those of the writer before: half are another's too


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own, on a socket in a folder of our own; the URL lacks the database's name."""
    initdb = [*sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")), shutil.which("initdb")]
    if initdb[0] is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    programs = Path(initdb[0]).parent
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
    as_user: dict[str, Any] = {"user": "nobody"} if ROOT else {}  # it refuses to be root
    if ROOT:
        shutil.chown(folder, "nobody")
    quiet: dict[str, Any] = {**as_user, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", "us", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        **quiet,
    )
    options = ("-c", "listen_addresses=", "-c", "fsync=off", "-k", folder)
    server = subprocess.Popen([programs / "postgres", "-D", folder / "data", *options], **quiet)
    try:
        ready = [programs / "pg_isready", "-q", "-h", folder]
        while subprocess.run(ready, check=False).returncode and server.poll() is None:
            sleep(0.05)
        yield f"postgresql+psycopg://us@/{{}}?host={folder}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A history on SQLite that is not there yet."""
    return str(tmp_path / "history.sqlite")


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> str:
    """A history that is not there yet: a path, or the URL of an empty database."""
    if request.param == "sqlite":
        return database
    server = request.getfixturevalue("postgresql")
    name = f"d{abs(hash(str(tmp_path)))}"
    with psycopg.connect(server.format("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return str(server.format(name))


def add(database: str, *runs: Path) -> int:
    return cli.main(["history", "add", *map(str, runs), "--db", database])


def counted(database: str) -> tuple[int, int, int]:
    """Runs, cases, metrics."""
    with opened(database) as history, history.connected() as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (RUNS, CASES, VALUES)
        )


def content(history: databases.History) -> set[tuple[object, ...]]:
    """All that a history holds, but for the order in which it came."""
    with history.connected() as connection:
        joined = sa.select(RUNS, CASES, VALUES).outerjoin(CASES, CASES.c.run == RUNS.c.key)
        joined = joined.outerjoin(VALUES, (VALUES.c.run == RUNS.c.key) & (VALUES.c.place == CASES.c.place))
        keys = {"key", "run", "run_1"}
        return {
            tuple(value for name, value in row._mapping.items() if name not in keys)
            for row in connection.execute(joined)
        }


def test_a_run_added_again_is_already_there(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(trunk(1))
    assert [add(database, folder), add(database, folder, folder / "run.json")] == [0, 0]
    assert capsys.readouterr().out.splitlines()[1].endswith(": 0 runs added, 2 already there")
    assert counted(database)[:2] == (1, 2)


def test_every_round_comes_back_to_the_bit(either: str, trunk: Callable[..., Any], write: Callable[..., Path]) -> None:
    folder = write(trunk(1, rounds=7))
    add(either, folder)
    with opened(either) as history:
        rounds = queries.rounds(history)
    wide = rounds.pivot(index=["case", "warmup", "round"], columns="metric", values="value")
    expected = (
        records.read_records([folder]).frame.set_index(["case", "warmup", "round"])[list(wide.columns)].sort_index()
    )
    assert wide.equals(expected.rename_axis(columns="metric"))


def test_a_missing_value_stays_missing(database: str, trunk: Callable[..., Any], write: Callable[..., Path]) -> None:
    document = trunk(1, cases=1)
    columns = document["benchmarks"][0]["extra_info"]["rounds"]
    columns["cpu_s"], columns["wait_s"][0] = [None] * 3, None
    add(database, write(document))
    with opened(database) as history:
        rounds, points = queries.rounds(history), queries.points(history, metrics=("cpu_s", "wait_s"))
    assert rounds[~rounds["warmup"]].groupby("metric")["value"].count()[["cpu_s", "wait_s"]].tolist() == [0, 2]
    assert points[["metric", "n"]].to_numpy().tolist() == [["wait_s", 2]]


def test_failed_and_skipped_cases_are_kept_with_their_reasons(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path]
) -> None:
    missed = {"name": "bench_epoch[x]", "bench": "epoch", "settings": {}, "reason": "worker killed", "phase": "call"}
    add(database, write(trunk(1, failed=[missed], skipped=[{**missed, "name": "bench_epoch[y]"}])))
    with opened(database) as history, history.connected() as connection:
        asked = sa.select(CASES.c.name, CASES.c.status, CASES.c.reason).where(CASES.c.status != "measured")
        assert [tuple(row) for row in connection.execute(asked.order_by(CASES.c.name))] == [
            ("bench_epoch[x]", "failed", "worker killed"),
            ("bench_epoch[y]", "skipped", "worker killed"),
        ]


@pytest.mark.parametrize(("first", "second", "kept"), [(1, 3, 3), (3, 1, 3)])
def test_of_a_killed_run_the_most_that_is_known_is_kept(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path], first: int, second: int, kept: int
) -> None:
    add(database, write(trunk(1, cases=first, complete=False)), write(trunk(1, cases=second, complete=False), "later"))
    assert counted(database)[:2] == (1, kept)


def test_a_killed_run_is_replaced_when_it_is_complete(
    either: str, trunk: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    add(either, write(trunk(1, complete=False)))
    assert add(either, write(trunk(1))) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 runs added, 1 replaced, as more of it is known now")
    with opened(either) as history:
        assert queries.runs(history)["complete"].tolist() == [True]


def test_a_complete_run_is_not_replaced(database: str, trunk: Callable[..., Any], write: Callable[..., Path]) -> None:
    add(database, write(trunk(1, cases=1)), write(trunk(1, cases=3, complete=False), "later"))
    assert counted(database)[:2] == (1, 1)


@pytest.fixture(scope="module")
def versions(trunk: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> list[RecordedRun]:
    """Three runs, each killed early, killed late and complete."""
    folder = tmp_path_factory.mktemp("versions")
    recorded = []
    for number in range(3):
        for cases, complete in ((1, False), (2, False), (3, True)):
            path = folder / f"{number}-{cases}.json"
            path.write_text(json.dumps(trunk(number, cases=cases, complete=complete)))
            recorded.append(read_run(path))
    return recorded


@settings(max_examples=20)
@given(order=st.lists(st.integers(0, 8), max_size=8))
def test_any_sequence_of_adds_gives_each_run_once_as_completely_as_it_was_known(
    versions: list[RecordedRun], order: Sequence[int]
) -> None:
    best = {number // 3: number for number in sorted(order)}
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(f"{folder}/any", writing=True) as any_order,
        opened(f"{folder}/each", writing=True) as once,
    ):
        outcomes = [any_order.add(versions[number]) for number in order]
        for number in best.values():
            once.add(versions[number])
        assert content(any_order) == content(once)
        assert outcomes.count("added") == len(best)


@pytest.mark.parametrize(("either", "writers"), [("sqlite", 4), ("postgresql", 3)], indirect=["either"])
def test_writers_at_once_lose_nothing_and_add_nothing_twice(
    either: str, writers: int, trunk: Callable[..., Any], tmp_path: Path
) -> None:
    runs = []
    for number in range((writers - 1) * APART + EACH):
        runs.append(tmp_path / f"{number}.json")
        runs[-1].write_text(json.dumps(trunk(number, rounds=2)))
    command = (*LOADERBENCH, "history", "add", "--db", either)
    with ExitStack() as programs:
        running = [
            programs.enter_context(
                Running([*command, *map(str, runs[first : first + EACH])], cwd=tmp_path, env=environment())
            )
            for first in range(0, writers * APART, APART)
        ]
        codes = [program.wait() for program in running]
        assert [(program.err, code) for program, code in zip(running, codes, strict=True)] == [("", 0)] * writers
        words = [program.out.rsplit(": ", 1)[1].split() for program in running]
    assert sum(int(word[0]) for word in words) == len(runs)
    assert sum(int(word[3]) for word in words if len(word) > 3) == writers * EACH - len(runs)
    with opened(either) as history:
        rounds = queries.rounds(history)
    assert counted(either)[:2] == (len(runs), 2 * len(runs))
    assert set(rounds.groupby(["run", "case", "metric"]).size()) == {3}  # two rounds and the warm-up
    assert len(rounds) == 2 * len(runs) * 3 * rounds["metric"].nunique()


def test_a_bad_file_is_one_line_and_the_others_are_added(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = write("{", "bad"), write(trunk(1), "good")
    assert add(database, bad, bad / "nowhere", good) == 2
    captured = capsys.readouterr()
    assert [line.rsplit(": ", 1)[1] for line in captured.err.splitlines()] == [
        "it ends in the middle",
        "No such file or directory",
    ]
    assert captured.out.endswith(": 1 run added\n")


def test_hostile_names_are_data(
    either: str, trunk: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    document = trunk(1, run="'; DROP TABLE loaderbench_runs; --\0\x1b[2J")
    document["benchmarks"][0]["name"] = "a\0b%_'\";\x1b[31m"
    document["benchmarks"][0]["extra_info"]["settings"]["dataset"] = "z\0"
    assert add(either, write(document)) == 0
    for action in (["list"], ["show", "b%_'"], ["changes"]):
        assert cli.main(["history", *action, "--db", either]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_run_s_name_too_long_for_an_index_is_refused_in_a_line(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(database, write(trunk(1, run="漢" * 201))) == 2
    assert "its name has more than 200 characters" in capsys.readouterr().err


def test_runs_on_unlike_machines_are_other_series(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write(trunk(number, slower=1 + number % 2, machine={"cpus_affinity": 4 << number % 2}), str(number))
            for number in range(30)]  # fmt: skip
    add(database, *runs)
    assert cli.main(["history", "changes", "--db", database]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no change point"


def test_settings_of_workers_make_no_other_case_where_there_are_none(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path]
) -> None:
    other = trunk(2)
    other["benchmarks"][0]["extra_info"]["settings"] |= {"start_method": "spawn", "prefetch_factor": 4}
    add(database, write(trunk(1)), write(other, "other"))
    with opened(database) as history:
        assert len(queries.cases(history)) == 2


def test_of_runs_added_out_of_order_the_one_that_was_made_last_names_a_case(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path]
) -> None:
    older, newer = trunk(1), trunk(2)
    older["benchmarks"][0]["name"] = "what it was called"
    add(database, write(newer, "newer"))
    add(database, write(older, "older"))
    with opened(database) as history:
        assert "what it was called" not in {case.name for case in queries.cases(history)}


def test_memory_s_trend_is_what_the_loader_adds(
    synthetic: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    source = synthetic()
    case = source.case("memory", {"num_workers": 1, "batch_size": 32, "dataset": "images"}, 3)
    case["extra_info"]["rounds"] |= {"pss_bytes": [5e8, 7e8, 6e8], "base_pss_bytes": [4e8, 4e8, 1e8]}
    path = str(tmp_path / "history.sqlite")
    add(path, write(source.document([case])))
    with opened(path) as history:
        points = trends.main_metric(queries.points(history))
    assert points[["metric", "median"]].to_numpy().tolist() == [["added_pss_bytes", 3e8]]


def test_a_newer_torch_is_still_the_same_machine(
    database: str, trunk: Callable[..., Any], write: Callable[..., Path]
) -> None:
    add(database, *(write(trunk(number, machine={"torch": f"2.{number}"}), str(number)) for number in range(2)))
    with opened(database) as history:
        assert queries.points(history)["machine"].nunique() == 1


def test_a_history_of_another_schema_is_refused_in_a_line(database: str) -> None:
    with opened(database, writing=True) as history, history.engine.begin() as connection:
        connection.execute(sa.update(VERSIONS).values(version=7))
    with pytest.raises(HistoryError, match="has history schema 7; this loaderbench reads schema 2; add"):
        opened(database).__enter__()


def test_an_empty_database_says_how_to_fill_it(postgresql: str) -> None:
    with pytest.raises(HistoryError, match="holds no history; make one with: loaderbench history add RUN"):
        opened(postgresql.format("template1")).__enter__()


@pytest.mark.parametrize(
    ("database", "fault"),
    [
        ("nowhere.sqlite", "nowhere.sqlite does not exist; make it with: loaderbench history add RUN"),
        ("text.sqlite", "text.sqlite is not an SQLite database; name another file with --db"),
        ("folder", "folder cannot be used: unable to open database file; see that --db is right and may be written"),
        ("mysql://x:secret@y/z", "--db mysql://… is not supported; name a path or postgresql+psycopg://…"),
        ("postgres://x:secret@y:p/z", "--db is neither a path nor a URL; write postgresql+psycopg://user@host/name"),
        ("sqlite://", "--db sqlite:// names no file; name one"),
    ],
)
def test_a_history_that_cannot_be_used_is_one_line(
    database: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.sqlite").write_text("a text, longer than the head of a database is" * 100)
    Path("folder").mkdir()
    assert cli.main(["history", "list", "--db", database]) == 2
    assert capsys.readouterr().err == f"loaderbench: {fault}\n"


def test_a_server_that_is_not_there_is_one_line_without_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/history"
    assert cli.main(["history", "list", "--db", url]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("loaderbench: postgresql+psycopg://me:***@127.0.0.1:1/history cannot be reached: ")


def test_without_its_driver_postgresql_is_one_line_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert cli.main(["history", "list", "--db", "postgresql://me@here/history"]) == 2
    assert capsys.readouterr().err == (
        "loaderbench: postgresql+psycopg://me@here/history needs psycopg; "
        "install it with: pip install 'loaderbench[postgresql]'\n"
    )


def test_a_history_locked_for_good_is_one_line(
    trunk: Callable[..., Any],
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(databases, "BUSY_S", 0)
    path = tmp_path / "history.sqlite"
    add(str(path), write(trunk(1)))
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert add(str(path), write(trunk(2), "second")) == 2
    assert "was locked for 0 s by another writer; try again" in capsys.readouterr().err


def test_a_reader_waits_for_no_writer(trunk: Callable[..., Any], write: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    add(str(path), write(trunk(1)))
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert counted(str(path))[0] == 1

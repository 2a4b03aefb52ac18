"""The history: every run in one database, SQLite or PostgreSQL, that many runners may write to at once.

A run is there once, whoever adds it and however often. Nothing is computed that a later reader could not compute
again: the raw rounds are kept, with each run's median and quartiles beside them so that a trend need not read them.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Integer, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from loaderbench.reports.history.rows import case_rows, metric_rows, run_row
from loaderbench.reports.records.files import RecordedRun

VERSION = 2  # of the tables below; a database of another one is refused
BUSY_S = 60  # that a writer on SQLite waits for others before it gives up
LONGEST_ID = 200  # characters of a run's name: an index of PostgreSQL is sure to hold them
SETUP_LOCK = 7105  # the key of PostgreSQL's advisory lock under which the tables are made, by one writer only

Addition = Literal["added", "replaced", "there"]

_TABLES = sa.MetaData()
VERSIONS = Table("loaderbench_history", _TABLES, Column("version", Integer, primary_key=True, autoincrement=False))
RUNS = Table(
    "loaderbench_runs",
    _TABLES,
    Column("key", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # the run's name: when it was, and of which commit
    Column("started", Text, nullable=False),  # ISO 8601, UTC; empty where unknown
    Column("commit_id", Text, nullable=False),  # these two are empty where unknown
    Column("branch", Text, nullable=False),
    Column("dirty", sa.Boolean),
    Column("machine", Text, nullable=False),  # `rows.machine_key`
    Column("machine_json", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("complete", sa.Boolean, nullable=False),
    Column("ended", Integer, nullable=False),  # cases that were measured, failed or skipped
    Column("path", Text, nullable=False),
)
CASES = Table(
    "loaderbench_cases",
    _TABLES,
    Column("run", sa.ForeignKey(RUNS.c.key), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),  # in the run's file
    Column("identity", Text, nullable=False),  # `case_identity`: the same case in every run
    Column("name", Text, nullable=False),
    Column("bench", Text, nullable=False),
    Column("dataset", Text),
    Column("settings", Text, nullable=False),  # JSON, as are the facts
    Column("facts", Text, nullable=False),
    Column("status", Text, nullable=False),  # measured, failed or skipped
    Column("reason", Text, nullable=False),  # these two are empty where the case was measured
    Column("phase", Text, nullable=False),
    sa.Index("loaderbench_cases_identity", "identity", "run", "place"),
)
VALUES = Table(
    "loaderbench_metrics",
    _TABLES,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("metric", Text, primary_key=True),
    Column("n", Integer, nullable=False),  # rounds that have it
    Column("median", sa.Double),
    Column("low", sa.Double),  # quartiles
    Column("high", sa.Double),
    Column("warmup", sa.LargeBinary),  # little-endian float64, NaN where missing; NULL where derived
    Column("rounds", sa.LargeBinary),
)

_INSERT: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class HistoryError(Exception):
    """A history that cannot be used; the message is one line that names it, its fault and the way out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """An open history."""

    engine: sa.Engine
    name: str
    """Its name in messages: a path, or a URL without its password."""

    def add(self, recorded: RecordedRun) -> Addition:
        """Add a run with all its cases, or nothing of it; raises HistoryError.

        A run that is there stays as it is, unless it was incomplete (interrupted, and added then) and this one is
        complete or has more cases: then it is replaced. Of two writers of one run, the second finds it there.
        """
        if len(recorded.run.name) > LONGEST_ID:
            raise HistoryError(f"run {recorded.run.name[:40]}…: its name has more than {LONGEST_ID} characters")
        with database_errors(self.name), self.engine.begin() as connection:
            key, outcome = _claim(connection, run_row(recorded.run))
            if outcome != "there":
                for table, rows in ((CASES, case_rows(recorded)), (VALUES, metric_rows(recorded))):
                    if keyed := [{"run": key, **row} for row in rows]:
                        connection.execute(sa.insert(table), keyed)
            return outcome

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Give a connection; errors of the database become HistoryError."""
        with database_errors(self.name), self.engine.connect() as connection:
            yield connection


def _claim(connection: Connection, row: dict[str, object]) -> tuple[int, Addition]:
    """Return the key of the run's row, and what became of it: unless it was "there", the caller writes its cases."""
    insert = _INSERT[connection.dialect.name](RUNS).values(row).on_conflict_do_nothing(index_elements=[RUNS.c.id])
    key = connection.execute(insert.returning(RUNS.c.key)).scalar()
    if key is not None:
        return int(key), "added"
    select = sa.select(RUNS.c.key, RUNS.c.complete, RUNS.c.ended).where(RUNS.c.id == row["id"]).with_for_update()
    earlier = connection.execute(select).one()
    if (row["complete"], row["ended"]) <= (earlier.complete, earlier.ended):
        return earlier.key, "there"
    for table in (VALUES, CASES):
        connection.execute(sa.delete(table).where(table.c.run == earlier.key))
    connection.execute(sa.update(RUNS).where(RUNS.c.key == earlier.key).values(row))
    return earlier.key, "replaced"


@contextmanager
def opened(database: str, *, writing: bool = False) -> Iterator[History]:
    """Open the history at a path or URL; with `writing` it is made where there is none. Raises HistoryError."""
    url = _url(database)
    name = url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        _check_file(Path(name), writing=writing)
    try:
        engine = sa.create_engine(url)
    except (ImportError, NoSuchModuleError):
        raise HistoryError(f"{name} needs psycopg; install it with: pip install 'loaderbench[postgresql]'") from None
    if engine.dialect.name == "sqlite":
        _tune(engine, writing=writing)
    try:
        with database_errors(name):
            _set_up(engine, name, writing=writing)
        yield History(engine=engine, name=name)
    finally:
        engine.dispose()


def _url(database: str) -> sa.URL:
    if "://" not in database:
        return sa.URL.create("sqlite", database=database)
    try:
        url = sa.make_url(database)
    except (ArgumentError, ValueError):
        raise HistoryError(
            "--db is neither a path nor a URL; write postgresql+psycopg://user@host/name"
        ) from None  # the URL is not repeated: a password may be in it
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise HistoryError(f"--db {url.drivername}://… is not supported; name a path or postgresql+psycopg://…")
    if url.drivername == "sqlite" and not url.database:
        raise HistoryError("--db sqlite:// names no file; name one")
    return url


def _check_file(path: Path, *, writing: bool) -> None:
    if not writing and not path.exists():
        raise HistoryError(f"{path} does not exist; make it with: loaderbench history add RUN")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(f"{path} cannot be made: {error.strerror}; name another file with --db") from None


def _tune(engine: sa.Engine, *, writing: bool) -> None:
    """Make writers of SQLite wait for each other; readers wait for no one."""

    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # `on_begin` begins transactions, not the driver
        connection.execute(f"PRAGMA busy_timeout = {1000 * BUSY_S}")
        if writing:
            with suppress(sqlite3.OperationalError):  # of two that switch at once one fails; the mode stays
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, a power cut loses a run at most

    def on_begin(connection: Connection) -> None:
        # A writer locks at once: SQLite lets none wait that has read before it wants to write.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)


def _set_up(engine: sa.Engine, name: str, *, writing: bool) -> None:
    """Make the tables where there are none; raises HistoryError where they are of another version."""
    with engine.begin() as connection:
        if writing and connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({SETUP_LOCK})"))
        if not sa.inspect(connection).has_table(VERSIONS.name):
            if not writing:
                raise HistoryError(f"{name} holds no history; make one with: loaderbench history add RUN")
            _TABLES.create_all(connection)
            connection.execute(sa.insert(VERSIONS).values(version=VERSION))
        versions = list(connection.execute(sa.select(VERSIONS.c.version)).scalars())
    if versions != [VERSION]:
        raise HistoryError(
            f"{name} has history schema {', '.join(map(str, versions)) or 'none'}; this loaderbench reads schema "
            f"{VERSION}; add the runs to a new history with: loaderbench history add RUN --db FILE"
        )


@contextmanager
def database_errors(name: str) -> Iterator[None]:
    """Turn errors of the database called `name` into HistoryError."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise HistoryError(f"{name} {_fault(error)}") from None


def _fault(error: Exception) -> str:
    cause = str(getattr(error, "orig", None) or error).strip()
    first = cause.splitlines()[0] if cause else type(error).__name__
    known = {
        "not a database": "is not an SQLite database; name another file with --db",
        "locked": f"was locked for {BUSY_S} s by another writer; try again, or let many write to PostgreSQL",
        "connection failed": f"cannot be reached: {first[:200]}; is the server up, and the address right?",
        "connection is bad": f"cannot be reached: {first[:200]}; is the server up, and the address right?",
    }
    return next(
        (fault for mark, fault in known.items() if mark in cause),
        f"cannot be used: {first[:200]}; see that --db is right and may be written",
    )

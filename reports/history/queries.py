"""What is read from the history, as frames."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from sqlalchemy import Row, Select, case, func, select
from sqlalchemy.sql.elements import ColumnElement

from loaderbench.reports.history.database import CASES, METRICS, RUNS, History
from loaderbench.reports.history.trends import POINT
from loaderbench.reports.vocabulary import ranked

MOST_ASKED = 500  # identities named in one query: databases have a limit


def runs(history: History) -> pd.DataFrame:
    """Return a row for each run, newest first: id, started, commit, branch, dirty, machine, complete, cases, failed."""
    failed = func.sum(case((CASES.c.status == "failed", 1), else_=0))
    columns = (
        RUNS.c.id, RUNS.c.started, RUNS.c.commit_id, RUNS.c.branch, RUNS.c.dirty, RUNS.c.machine, RUNS.c.complete,
    )  # fmt: skip
    asked = (
        select(*columns, func.count(CASES.c.place), failed)
        .outerjoin(CASES, CASES.c.run == RUNS.c.key)
        .group_by(RUNS.c.key, *columns)
        .order_by(RUNS.c.started.desc(), RUNS.c.id.desc())
    )
    names = ["id", "started", "commit", "branch", "dirty", "machine", "complete", "cases", "failed"]
    return pd.DataFrame([tuple(row) for row in _all(history, asked)], columns=names)


def named(history: History, wanted: str) -> dict[str, str]:
    """Return the cases, name by identity, called `wanted` or, if none is, whose names hold every word of it."""
    words = [CASES.c.name.icontains(word, autoescape=True) for word in wanted.split()]
    asked = (
        select(CASES.c.identity, CASES.c.name, func.max(CASES.c.run))
        .where(*words, CASES.c.status == "measured")
        .group_by(CASES.c.identity, CASES.c.name)
        .order_by(func.max(CASES.c.run))
    )
    found = {row.identity: row.name for row in _all(history, asked)}  # the newest name of each stands
    return {key: name for key, name in found.items() if name == wanted} or found


def points(
    history: History,
    *,
    identities: Collection[str] | None = None,
    metrics: Collection[str] = ranked("trend_rank"),
    machine: str = "",
    branch: str = "",
) -> pd.DataFrame:
    """Return a row for each run, case and metric, oldest run first, with the columns of `trends.POINT`.

    `machine` is a part of the machine's name; empty texts and None restrict nothing, no metrics mean all.
    """
    narrowed: list[ColumnElement[bool]] = [METRICS.c.median.is_not(None)]
    narrowed += [METRICS.c.metric.in_(list(metrics))] if metrics else []
    narrowed += [RUNS.c.machine.icontains(machine, autoescape=True)] if machine else []
    narrowed += [RUNS.c.branch == branch] if branch else []
    asked = (
        select(
            RUNS.c.id, RUNS.c.started, RUNS.c.commit_id, RUNS.c.machine, CASES.c.identity, CASES.c.name, CASES.c.bench,
            CASES.c.dataset, METRICS.c.metric, METRICS.c.n, METRICS.c.median, METRICS.c.low, METRICS.c.high,
        )
        .join(CASES, CASES.c.run == RUNS.c.key)
        .join(METRICS, (METRICS.c.run == CASES.c.run) & (METRICS.c.place == CASES.c.place))
        .where(*narrowed)
    )  # fmt: skip
    wanted = list(identities) if identities is not None else []
    parts = [wanted[first : first + MOST_ASKED] for first in range(0, len(wanted), MOST_ASKED)]
    queries = [asked.where(CASES.c.identity.in_(part)) for part in parts] if identities is not None else [asked]
    rows = [tuple(row) for query in queries for row in _all(history, query)]
    found = pd.DataFrame(rows, columns=list(POINT))
    # A run that has the same case under two names counts once.
    return found.sort_values(["started", "run"], kind="stable").drop_duplicates(
        ["run", "identity", "metric"], ignore_index=True
    )


def rounds(history: History, *, identities: Collection[str] | None = None, machine: str = "") -> pd.DataFrame:
    """Return every round: run, started, commit, branch, machine, case, bench, settings, metric, warmup, round, value.

    Settings are JSON; the failed and skipped cases, which have no rounds, are not among them.
    """
    narrowed: list[ColumnElement[bool]] = [METRICS.c.rounds.is_not(None)]
    narrowed += [RUNS.c.machine.icontains(machine, autoescape=True)] if machine else []
    narrowed += [CASES.c.identity.in_(list(identities))] if identities is not None else []
    asked = (
        select(
            RUNS.c.id, RUNS.c.started, RUNS.c.commit_id, RUNS.c.branch, RUNS.c.machine, CASES.c.name, CASES.c.bench,
            CASES.c.settings, METRICS.c.metric, METRICS.c.warmup, METRICS.c.rounds,
        )
        .join(CASES, CASES.c.run == RUNS.c.key)
        .join(METRICS, (METRICS.c.run == CASES.c.run) & (METRICS.c.place == CASES.c.place))
        .where(*narrowed)
        .order_by(RUNS.c.started, RUNS.c.id, CASES.c.place, METRICS.c.metric)
    )  # fmt: skip
    rows = _all(history, asked)
    about = ["run", "started", "commit", "branch", "machine", "case", "bench", "settings", "metric"]
    blocks = [np.frombuffer(held, dtype="<f8") for row in rows for held in (row.warmup, row.rounds)]
    lengths = np.array([len(block) for block in blocks], dtype=np.intp)
    block = np.repeat(np.arange(len(blocks)), lengths)
    frame = pd.DataFrame([tuple(row)[: len(about)] for row in rows], columns=about)
    return frame.take(block // 2).assign(
        warmup=block % 2 == 0,
        round=np.arange(len(block)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
        value=np.concatenate(blocks) if blocks else np.empty(0),
    ).reset_index(drop=True)  # fmt: skip


def _all(history: History, asked: Select[*tuple[object, ...]]) -> Sequence[Row[*tuple[object, ...]]]:
    with history.reading() as connection:
        return connection.execute(asked).all()

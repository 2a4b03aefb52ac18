"""Queries of the history, which return frames."""

import json
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from sqlalchemy import Row, Select, case, func, select
from sqlalchemy.sql.elements import ColumnElement

from loaderbench.reports.history.case_search import NamedCase
from loaderbench.reports.history.database import CASES, RUNS, VALUES, History
from loaderbench.reports.history.trends import POINT
from loaderbench.reports.vocabulary import ranked

MOST_IDENTITIES = 500  # named in one query: databases have a limit


def runs(history: History) -> pd.DataFrame:
    """Return a row for each run, newest first: id, started, commit, branch, dirty, machine, complete, cases, failed."""
    failed = func.sum(case((CASES.c.status == "failed", 1), else_=0))
    columns = (
        RUNS.c.id, RUNS.c.started, RUNS.c.commit_id, RUNS.c.branch, RUNS.c.dirty, RUNS.c.machine, RUNS.c.complete,
    )  # fmt: skip
    query = (
        select(*columns, func.count(CASES.c.place), failed)
        .outerjoin(CASES, CASES.c.run == RUNS.c.key)
        .group_by(RUNS.c.key, *columns)
        .order_by(RUNS.c.started.desc(), RUNS.c.id.desc())
    )
    names = ["id", "started", "commit", "branch", "dirty", "machine", "complete", "cases", "failed"]
    return pd.DataFrame([tuple(row) for row in _all(history, query)], columns=names)


def cases(history: History, words: str = "") -> list[NamedCase]:
    """Return the measured cases whose names have all of `words` in them, in the order in which they were last run."""
    conditions = [CASES.c.name.icontains(word, autoescape=True) for word in words.split()]
    last = func.max(RUNS.c.started).label("last")  # an older run may have been added later
    newest = (
        select(CASES.c.identity, last)
        .join(RUNS, CASES.c.run == RUNS.c.key)
        .where(*conditions, CASES.c.status == "measured")
        .group_by(CASES.c.identity)
        .subquery()
    )
    query = (
        select(CASES.c.identity, CASES.c.name, CASES.c.bench, CASES.c.settings)
        .join(RUNS, CASES.c.run == RUNS.c.key)
        .join(newest, (CASES.c.identity == newest.c.identity) & (RUNS.c.started == newest.c.last))
        .where(CASES.c.status == "measured")
        .order_by(newest.c.last, CASES.c.run, CASES.c.place)
    )
    named: dict[str, NamedCase] = {}
    for row in _all(history, query):
        named.pop(row.identity, None)  # of runs that began at the same time the last one counts
        named[row.identity] = NamedCase(
            identity=row.identity, name=row.name, bench=row.bench, settings=json.loads(row.settings)
        )
    return list(named.values())


def points(
    history: History,
    *,
    identities: Collection[str] | None = None,
    metrics: Collection[str] | None = None,
    machine: str = "",
    branch: str = "",
) -> pd.DataFrame:
    """Return a row for each run, case and metric, oldest run first, with the columns of `trends.POINT`.

    `metrics` are those of trends where it is None, all where it is empty. `machine` is a part of the machine's name;
    empty texts and no `identities` (None) restrict nothing.
    """
    metrics = ranked("trend_rank") if metrics is None else metrics
    conditions: list[ColumnElement[bool]] = [VALUES.c.median.is_not(None)]
    conditions += [VALUES.c.metric.in_(list(metrics))] if metrics else []
    conditions += [RUNS.c.machine.icontains(machine, autoescape=True)] if machine else []
    conditions += [RUNS.c.branch == branch] if branch else []
    query = (
        select(
            RUNS.c.id, RUNS.c.started, RUNS.c.commit_id, RUNS.c.machine, CASES.c.identity, CASES.c.name, CASES.c.bench,
            CASES.c.dataset, VALUES.c.metric, VALUES.c.n, VALUES.c.median, VALUES.c.low, VALUES.c.high,
        )
        .join(CASES, CASES.c.run == RUNS.c.key)
        .join(VALUES, (VALUES.c.run == CASES.c.run) & (VALUES.c.place == CASES.c.place))
        .where(*conditions)
    )  # fmt: skip
    queries = [query]
    if identities is not None:
        wanted = list(identities)
        parts = [wanted[first : first + MOST_IDENTITIES] for first in range(0, len(wanted), MOST_IDENTITIES)]
        queries = [query.where(CASES.c.identity.in_(part)) for part in parts]
    rows = [tuple(row) for part in queries for row in _all(history, part)]
    # A run that has the same case under two names counts once.
    return (
        pd.DataFrame(rows, columns=list(POINT))
        .sort_values(["started", "run"], kind="stable")
        .drop_duplicates(["run", "identity", "metric"], ignore_index=True)
    )


def rounds(history: History, *, identities: Collection[str] | None = None, machine: str = "") -> pd.DataFrame:
    """Return a row for each round of each metric of a measured case, with its ``value``.

    The other columns are run, started, commit, branch, machine, case, bench, settings (JSON), metric, warmup and round.
    """
    conditions: list[ColumnElement[bool]] = [VALUES.c.rounds.is_not(None)]
    conditions += [RUNS.c.machine.icontains(machine, autoescape=True)] if machine else []
    conditions += [CASES.c.identity.in_(list(identities))] if identities is not None else []
    query = (
        select(
            RUNS.c.id, RUNS.c.started, RUNS.c.commit_id, RUNS.c.branch, RUNS.c.machine, CASES.c.name, CASES.c.bench,
            CASES.c.settings, VALUES.c.metric, VALUES.c.warmup, VALUES.c.rounds,
        )
        .join(CASES, CASES.c.run == RUNS.c.key)
        .join(VALUES, (VALUES.c.run == CASES.c.run) & (VALUES.c.place == CASES.c.place))
        .where(*conditions)
        .order_by(RUNS.c.started, RUNS.c.id, CASES.c.place, VALUES.c.metric)
    )  # fmt: skip
    rows = _all(history, query)
    about = ["run", "started", "commit", "branch", "machine", "case", "bench", "settings", "metric"]
    series = [np.frombuffer(column, dtype="<f8") for row in rows for column in (row.warmup, row.rounds)]
    lengths = np.array([len(values) for values in series], dtype=np.intp)
    place = np.repeat(np.arange(len(series)), lengths)
    frame = pd.DataFrame([tuple(row)[: len(about)] for row in rows], columns=about)
    return frame.take(place // 2).assign(
        warmup=place % 2 == 0,
        round=np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
        value=np.concatenate([*series, np.empty(0)]),
    ).reset_index(drop=True)  # fmt: skip


def _all(history: History, query: Select[*tuple[object, ...]]) -> Sequence[Row[*tuple[object, ...]]]:
    with history.connected() as connection:
        return connection.execute(query).all()

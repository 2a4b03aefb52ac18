"""Records as CSV and Parquet: every round, missing as missing, and no text that a spreadsheet would run."""

import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.records.export import csv_of, parquet_of
from loaderbench.reports.records.frame import Records

FORMULAS = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=1"&"2')


@pytest.fixture
def frame(synthetic: Callable[..., Any], records_of: Callable[..., Records]) -> pd.DataFrame:
    """Rounds of datasets of which some have names that are formulas to a spreadsheet."""
    document = synthetic().run(2)
    for case, dataset in zip(document["benchmarks"], FORMULAS, strict=False):
        case["extra_info"]["settings"] |= {"dataset": dataset, "=1+1": -1.5}
    return records_of(document).frame


def from_csv(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(csv_of(frame)), lineterminator="\n")


def from_parquet(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(parquet_of(frame)))


def test_both_hold_every_round_and_agree(frame: pd.DataFrame) -> None:
    csv, table = from_csv(frame), from_parquet(frame)
    assert len(table) == len(csv) == len(frame)
    assert table["seconds"].tolist() == frame["seconds"].tolist()
    assert csv["seconds"].tolist() == pytest.approx(table["seconds"].tolist(), rel=1e-15)


def test_missing_is_empty_in_csv_and_null_in_parquet(frame: pd.DataFrame) -> None:
    missing = frame["wait_s"].isna().sum()
    assert missing > 0
    assert from_csv(frame)["wait_s"].isna().sum() == missing
    assert from_parquet(frame)["wait_s"].isna().sum() == missing


def test_whole_numbers_stay_whole_beside_missing_ones(frame: pd.DataFrame) -> None:
    assert set(from_parquet(frame)["prefetch_factor"].dropna()) == {2}
    assert b",2.0," not in csv_of(frame).splitlines()[200]


def test_a_text_that_a_spreadsheet_would_run_has_an_apostrophe_before_it_in_csv(frame: pd.DataFrame) -> None:
    datasets = set(from_csv(frame)["dataset"].dropna())
    assert {f"'{formula}" for formula in FORMULAS} <= datasets
    assert not datasets & set(FORMULAS)
    assert "images" in datasets


def test_a_column_s_name_has_one_too_and_numbers_below_zero_stay_numbers(frame: pd.DataFrame) -> None:
    assert from_csv(frame)["'=1+1"].dropna().unique().tolist() == [-1.5]


def test_parquet_holds_texts_as_they_are(frame: pd.DataFrame) -> None:
    assert set(FORMULAS) <= set(from_parquet(frame)["dataset"].dropna())

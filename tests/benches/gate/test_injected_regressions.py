"""Injected regressions: two copies of one file, and beside each what is wrong with it."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.gate import injected_regressions
from loaderbench.benches.gate.injected_regressions import (
    FAULTS,
    REGRESSIONS,
    WITH_LOAD,
    InjectedRegression,
    make_revisions,
    measure_sizes,
)

EVERY = (*REGRESSIONS, *WITH_LOAD, *FAULTS)


def module(folder: Path) -> Any:
    """A revision's copy, imported as its processes import it."""
    spec = importlib.util.spec_from_file_location("injected_copy", folder / "injected.py")
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


@pytest.mark.parametrize("regression", EVERY, ids=[regression.name for regression in EVERY])
def test_the_revisions_are_the_same_code_with_other_faults(regression: InjectedRegression, tmp_path: Path) -> None:
    base, head = make_revisions(regression, tmp_path)
    assert (base.folder / "injected.py").read_bytes() == (head.folder / "injected.py").read_bytes()
    faults = [json.loads((revision.folder / "injected.json").read_text()) for revision in (base, head)]
    assert faults == [regression.base, regression.head]


def test_a_copy_has_the_faults_of_the_file_beside_it(tmp_path: Path) -> None:
    regression = InjectedRegression(name="x", head={"getitem_share": 0.5, "is_batched": False})
    base, head = (module(revision.folder) for revision in make_revisions(regression, tmp_path))
    assert (base.FAULTS.getitem_share, head.FAULTS.getitem_share) == (0.0, 0.5)
    assert hasattr(base.Rows, "__getitems__")
    assert not hasattr(head.Rows, "__getitems__")


def test_a_fault_that_is_not_known_is_refused(tmp_path: Path) -> None:
    (_, head) = make_revisions(InjectedRegression(name="x", head={"nothing": 1.0}), tmp_path)
    with pytest.raises(TypeError, match="nothing"):
        module(head.folder)


def test_the_code_under_test_must_be_from_its_own_revision(tmp_path: Path) -> None:
    assert all(revision.root == revision.folder for revision in make_revisions(REGRESSIONS[0], tmp_path))


@pytest.mark.parametrize(
    ("faults", "called"),
    [
        ({"getitem_share": 1.0}, {"Documents.__getitem__", "Images.__getitem__"}),
        ({"collate_times": 1}, {"Documents, collated", "Images, collated"}),
    ],
    ids=["getitem", "collate"],
)
def test_sizes_are_of_what_the_fault_is_in(
    faults: dict[str, float], called: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([9.0, 9.0, *[1.0, 2.0] * 2, 9.0, 9.0, *[1.0, 2.0] * 2])  # the first pair is thrown away
    monkeypatch.setattr(injected_regressions, "timeit", lambda *_call, **_how: next(times))
    regression = InjectedRegression(name="twice", head=faults)
    sizes = measure_sizes(regression, make_revisions(regression, tmp_path), pairs=2)
    assert set(sizes) == called
    assert sizes[min(called)] == (1.25, 0.5, 2.0)


def test_a_size_takes_one_pair_where_there_is_time_for_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([9.0, 9.0, 1.0, 2.0] * 2)
    monkeypatch.setattr(injected_regressions, "timeit", lambda *_call, **_how: next(times))
    regression = InjectedRegression(name="twice", head={"getitem_share": 1.0})
    sizes = measure_sizes(regression, make_revisions(regression, tmp_path), within_s=0.0)
    assert [len(set(size)) for size in sizes.values()] == [1, 1]
    assert not list(times)

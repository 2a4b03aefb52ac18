"""bench_sampling: what it costs to choose the samples, and to ask for them one by one."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.reports.vocabulary import SETTINGS

Benches = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def sampling(benches: Benches) -> list[dict[str, Any]]:
    return list(benches("sampling").values())


def test_every_way_of_sampling_is_measured_and_one_of_them_sample_by_sample(sampling: list[dict[str, Any]]) -> None:
    asked = {tuple(case["settings"][name] for name in ("sampling", "fetch", "drop_last")) for case in sampling}
    assert asked == {
        *((name, "getitems", False) for name in SETTINGS["sampling"].choices),
        ("shuffle", "getitem", False),
        ("shuffle", "getitems", True),
    }


def test_only_drop_last_leaves_samples_out(sampling: list[dict[str, Any]]) -> None:
    for case in sampling:
        delivered = 60 if case["settings"]["drop_last"] else 64
        assert case["rounds"]["samples"] == [delivered, delivered]


TOLD = """
class Told:
    def __len__(self):
        return 16

    def __getitem__(self, index):
        return range(16)[index]

    def __getitems__(self, indices):
        global is_in_one_call
        is_in_one_call = True
        return [self[index] for index in indices]

is_in_one_call = False  # of this process: each case, and each look at the dataset, has one of its own

def listed(samples):
    return ["in one call" for _ in samples] if is_in_one_call else samples
"""


@pytest.mark.parametrize(("fetch", "batch_bytes"), [("getitem", 0), ("getitems", 8 * len("in one call"))])
def test_a_batch_is_asked_for_in_one_call_or_sample_by_sample(
    measured: Callable[..., dict[str, Any]], pytester: pytest.Pytester, fetch: str, batch_bytes: int
) -> None:
    pytester.makepyfile(told=TOLD)
    (case,) = measured("told:Told", "--collate-fn", "told:listed", "--fetch", fetch)["benchmarks"]
    assert case["extra_info"]["facts"]["batch_bytes"] == batch_bytes

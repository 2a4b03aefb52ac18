"""What a round of work leaves."""

from loaderbench.benches.harness.measuring.work import columns


def test_a_metric_that_a_round_lacks_is_null_in_its_column() -> None:
    assert columns([{"a": 1.0}, {"a": 2.0, "b": 3.0}]) == {"a": [1.0, 2.0], "b": [None, 3.0]}

"""What all ranks delivered together, from what each did."""

from collections import Counter

from loaderbench.benches.harness.ranks.coverage import covered


def test_shares_without_overlap_cover_each_sample_once() -> None:
    coverage = covered([Counter(range(4)), Counter(range(4, 8))], 8)
    assert (coverage.repeated, coverage.text, coverage.unique_share) == (0, "each sample once", 1.0)


def test_padding_counts_as_padding() -> None:
    coverage = covered([Counter([0, 1, 2, 3]), Counter([4, 5, 6, 0])], 8)
    assert coverage.text == "each sample once, 1 twice (padding)"
    assert coverage.unique_share == 7 / 8


def test_ranks_that_all_deliver_everything_are_unsharded() -> None:
    coverage = covered([Counter(b"abcd")] * 4, 16)
    assert coverage.is_unsharded
    assert coverage.unique_share == 1 / 4


def test_one_rank_alone_is_not_unsharded() -> None:
    assert not covered([Counter(range(4))], 4).is_unsharded


def test_samples_of_one_rank_that_are_alike_are_different_samples() -> None:
    assert covered([Counter([b"x", b"x", b"y"]), Counter([b"z"])], 4).repeated == 0


def test_where_samples_cannot_be_told_apart_the_coverage_is_unknown() -> None:
    coverage = covered([None, None], 8)
    assert coverage.text.startswith("unknown")
    assert coverage.unique_share == 1.0


def test_more_than_padding_is_called_overlapping_and_counts_once() -> None:
    coverage = covered([Counter(range(48)), Counter(range(16, 64))], 96)
    assert coverage.text == "overlapping: 32 of 96 samples are another rank's too"
    assert coverage.unique_share == 64 / 96


def test_of_samples_drawn_with_replacement_on_each_rank_none_is_called_repeated() -> None:
    coverage = covered([Counter([0, 0, 1, 2]), Counter([0, 2, 2, 3])], 8)
    assert coverage.text.startswith("unknown")
    assert coverage.unique_share == 1.0

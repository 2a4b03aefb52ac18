"""What the rounds of ranks show together, on made-up rounds."""

import pytest

from loaderbench.benches.harness.ranks.combined import accelerator_utilization, combined, straggler_cost

FAST = {"seconds": 1.0, "samples": 100.0, "batches": 10.0, "first_batch_s": 0.1, "wait_s": 0.4, "wait_max_s": 0.1}
SLOW = {"seconds": 4.0, "samples": 100.0, "batches": 10.0, "first_batch_s": 0.3, "wait_s": 3.6, "wait_max_s": 0.8}


def test_all_samples_count_over_the_slowest_rank_s_time() -> None:
    both = combined([FAST, SLOW])
    assert (both["samples"], both["seconds"]) == (200.0, 4.0)
    assert both["rates_sum_per_s"] == 125.0


def test_the_slowest_rank_is_named_and_what_it_costs() -> None:
    both = combined([SLOW, FAST])
    assert both["slowest_rank"] == 0
    assert both["straggler_cost"] == straggler_cost([1.0, 4.0], 4.0) == pytest.approx(1 - 2.5 / 4)


def test_ranks_that_end_together_since_they_wait_before_each_step_lose_what_they_wait() -> None:
    ranks = [
        {"seconds": 4.0, "samples": 8.0, "compute_s": 1.0, "first_batch_s": 0.1, "sync_wait_s": wait_s}
        for wait_s in (2.0, 0.2)
    ]
    both = combined(ranks)
    assert both["slowest_rank"] == 1
    assert both["straggler_cost"] == pytest.approx(1.1 / 4)
    assert both["seconds"] == 4.0


def test_ranks_that_load_the_same_samples_are_no_faster() -> None:
    both = combined([FAST, FAST], unique_share=0.5)
    assert (both["samples"], both["repeated_samples"], both["seconds"]) == (100.0, 100.0, 1.0)


def test_the_first_batch_is_the_last_to_arrive_and_waits_are_the_mean_rank_s() -> None:
    both = combined([FAST, SLOW])
    assert (both["first_batch_s"], both["wait_s"], both["wait_max_s"]) == (0.3, 2.0, 0.8)


def test_waiting_for_ranks_counts_against_the_loader_as_mlperf_has_it() -> None:
    ranks = [{**FAST, "seconds": 4.0, "compute_s": 2.0, "sync_wait_s": 1.5}, {**SLOW, "compute_s": 2.0}]
    assert accelerator_utilization(2.0, 4.0, 0.3) == pytest.approx(2 / 3.7)
    assert combined([{**rank, "sync_wait_s": 1.0} for rank in ranks])["accelerator_utilization"] == pytest.approx(
        2 / 3.7
    )


def test_one_rank_waits_for_no_one() -> None:
    alone = combined([FAST])
    assert (alone["straggler_cost"], alone["slowest_rank"], alone["rates_sum_per_s"]) == (0.0, 0.0, 100.0)

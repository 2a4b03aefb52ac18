"""The breakdown bench: what it reads, and in which process."""

import pytest
import torch
from torch.utils.data import Dataset

from loaderbench.benches.bench_breakdown import Breakdown
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import subject_of


class CountsReads(Dataset[int]):
    """Samples that know how many were read in the process that asks."""

    reads = 0

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> int:
        type(self).reads += 1
        return index


@pytest.mark.parametrize("persistent_workers", [True, False])
def test_the_process_that_starts_workers_reads_no_sample_and_the_slowest_are_named(
    persistent_workers: bool, no_leaks: None
) -> None:
    config = LoaderConfig(batch_size=4, num_workers=1, timeout=60, persistent_workers=persistent_workers)
    with Breakdown(subject_of(CountsReads()), config, torch.device("cpu")) as work:
        work.before(1)
        work.run(1)
        assert work.after()["batches"] == 4
        slowest = work.slow_samples()
        assert CountsReads.reads == 0
    assert {sample.index for sample in slowest} <= {*range(16)}
    assert len(slowest) == 5

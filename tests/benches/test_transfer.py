"""bench_transfer: copies of a batch to the device."""

import pytest
import torch

from loaderbench.benches.bench_transfer import COPIES, Transfer
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import subject_of
from loaderbench.datasets.synthetic.known_cost import Bytes


@pytest.mark.parametrize("passes", [1, 3])
def test_the_bytes_of_all_copies_are_counted(passes: int) -> None:
    device = torch.device("meta")  # a copy to it takes no accelerator
    work = Transfer(subject_of(Bytes(16, 1000)), LoaderConfig(batch_size=8), device, non_blocking=False)
    work.seconds = 1.0
    with pytest.MonkeyPatch.context() as patch, work:
        patch.setattr("loaderbench.benches.bench_transfer.synchronise", lambda _device: None)
        work.run(passes)
        assert work.after()["bytes"] == COPIES * passes * 8 * 1000

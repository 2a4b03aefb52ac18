"""A data-parallel loop, whatever launched its ranks: that of rank 1 waits for its samples, which take 20 ms more."""

import os
import time
from typing import Any

import torch
from slow_data import Slow
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

LAUNCHERS = (
    ("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
)  # fmt: skip


class Uneven(Slow):
    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank

    def __getitem__(self, index: int) -> Any:
        time.sleep(0.02 if self.rank == 1 else 0.0)
        return super().__getitem__(index)


def main() -> None:
    rank, world_size = next(
        (int(os.environ[rank]), int(os.environ[size])) for rank, size in LAUNCHERS if size in os.environ
    )
    torch.distributed.init_process_group("gloo", rank=rank, world_size=world_size)
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = Uneven(rank)
    loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data), num_workers=1)
    for _ in range(2):
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(inputs), target)
            loss.backward()
            optimizer.step()
    print(f"loss {loss.item()!r}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

"""What ``loaderbench check`` reads of a loader and of the machine."""

import torch

from loaderbench.benches.explain.check import limits
from loaderbench.benches.explain.storages import Storages, tensor_storages


def test_a_view_counts_with_all_that_it_is_a_view_of() -> None:
    whole = torch.zeros(1000)
    assert tensor_storages({"a": whole[:1], "b": [whole[1:2], "text"]}) == Storages(count=1, bytes=4000)


def test_every_limit_of_this_machine_is_a_number() -> None:
    here = limits()
    assert 0 < here.cpus <= here.cpus_affinity
    assert here.descriptors > 0
    assert here.memory_bytes > 0

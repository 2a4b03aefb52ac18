"""What one rank does: passes over its share, alone or with a training step that all ranks take together."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Self

import torch
from torch import distributed, nn
from torch._C._distributed_c10d import PrefixStore, Store
from torch.nn.parallel import DistributedDataParallel

from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import Epoch, Step
from loaderbench.benches.harness.measuring.work import Metrics
from loaderbench.benches.harness.ranks.coverage import Identities
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.sharding import EpochByEpoch, share_of
from loaderbench.benches.harness.system.processes import cpu_s, tree_pss_bytes
from loaderbench.benches.harness.training.model_choice import Task

MakeTask = Callable[..., Task]


class RankPass(Epoch):
    """Passes of one rank over its share of the samples."""

    def __init__(
        self,
        subject: Subject,
        config: LoaderConfig,
        device: torch.device,
        place: RankPlace,
        *,
        sampling: str | None,
        pad: bool,
    ) -> None:
        subject, config = share_of(subject, config, place, sampling=sampling, pad=pad)
        super().__init__(subject, config, device=device)
        self.place = place
        self._cpu_before_s = 0.0
        self._identities: Identities | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self._passes: EpochByEpoch | InStep = EpochByEpoch(self._audit.loader)
        return self

    @property
    def loader(self) -> Any:
        """Return what is read: each pass is an epoch of its own."""
        return self._passes

    def before(self, passes: int) -> None:
        """Note the CPU time so far."""
        super().before(passes)
        self._cpu_before_s = cpu_s()

    def after(self) -> Metrics:
        """Return the metrics of the round, with the CPU time and the memory of this rank and its workers."""
        if self._identities is None:
            self._identities = self._audit.identities()
        return {**super().after(), "cpu_s": cpu_s() - self._cpu_before_s, "pss_bytes": float(tree_pss_bytes())}

    def identities(self) -> Identities | None:
        """Return how often each sample came in the first pass; None where samples cannot be told apart."""
        return self._identities

    def threads(self) -> int:
        """Return the threads that torch computes with in this rank."""
        return torch.get_num_threads()


class RankTraining(RankPass):
    """Passes that train: the step of all ranks together, under DistributedDataParallel.

    Before each step the ranks wait for each other, in a collective of one number each: the wait for data of the slowest
    is the wait for other ranks of all others, and a rank that has no batch any more is seen before DDP would wait for
    it for ever.
    """

    def __init__(self, make_task: MakeTask, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._make_task = make_task

    def __enter__(self) -> Self:
        self.task = self._make_task(self.device, wrap=self._data_parallel)
        super().__enter__()
        self._passes = InStep(self._passes, self._meet)
        return self

    def before(self, passes: int) -> None:
        """Forget the round before."""
        super().before(passes)
        self._sync_wait_s, self._compute_s = 0.0, 0.0
        self.step: Step = self._step

    def after(self) -> Metrics:
        """Return the metrics of the round: waiting for data, waiting for other ranks, and computing."""
        return {**super().after(), "sync_wait_s": self._sync_wait_s, "compute_s": self._compute_s}

    def _step(self, batch: Any) -> None:
        began = perf_counter()
        self._meet(True)
        met = perf_counter()
        self.task(batch)
        self._sync_wait_s += met - began
        self._compute_s += perf_counter() - met

    def _meet(self, has_batch: bool) -> None:
        """Wait for the other ranks; raises CaseFailedError where some have a batch and others have none."""
        if self.place.world_size == 1:
            return
        have = torch.zeros(self.place.world_size, dtype=torch.int64)
        have[self.place.rank] = has_batch
        distributed.all_reduce(have)
        fault = uneven_ranks(have.tolist())
        if fault:
            raise CaseFailedError(fault)

    def _data_parallel(self, model: nn.Module) -> nn.Module:
        has_parameters = any(parameter.requires_grad for parameter in model.parameters())
        return DistributedDataParallel(model) if self.place.world_size > 1 and has_parameters else model


class InStep:
    """A loader that ranks read in step: at its end, they are told that this one has no batch any more."""

    def __init__(self, loader: Any, meet: Callable[[bool], None]) -> None:
        self._loader, self._meet = loader, meet

    def __iter__(self) -> Any:
        yield from self._loader
        self._meet(False)


def uneven_ranks(have: list[int]) -> str:
    """Return what is wrong where some ranks have a batch (1) and others do not (0); nothing if nothing is.

    >>> uneven_ranks([1, 1]), uneven_ranks([0, 0])
    ('', '')
    >>> uneven_ranks([1, 0, 1])
    'rank 1 has fewer batches than rank 0: DistributedDataParallel would wait for ever; give all ranks as many samples \
(--pad-ranks, --drop-last on), or join them with torch.distributed.algorithms.Join'
    """
    if len(set(have)) == 1:
        return ""
    return (
        f"rank {have.index(0)} has fewer batches than rank {have.index(1)}: DistributedDataParallel would wait for "
        "ever; give all ranks as many samples (--pad-ranks, --drop-last on), or join them with "
        "torch.distributed.algorithms.Join"
    )


def in_group(
    make: Callable[[RankPlace, torch.device], Any],
    device: torch.device,
    place: RankPlace,
    store: Store,
) -> Any:
    """Return what `make` returns in a process that has joined torch's process group, so that user code can ask for it.

    Its backend is gloo, and nccl beside it for tensors on a CUDA device; that device is the rank's own.
    """
    has_cuda = device.type == "cuda"
    if has_cuda:
        if place.local_world_size > torch.cuda.device_count():
            raise CaseFailedError(
                f"{place.local_world_size} ranks need a CUDA device each, {place.host} has {torch.cuda.device_count()}"
            )
        device = torch.device("cuda", place.local_rank)
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if has_cuda else "gloo",
        store=PrefixStore("group", store),
        rank=place.rank,
        world_size=place.world_size,
    )
    return make(place, device)

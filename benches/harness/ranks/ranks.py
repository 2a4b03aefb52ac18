"""The fixture `ranks`: how many ranks a case has, how they share samples, and who starts them."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch._C._distributed_c10d import Store

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.ranks.elastic_ranks import ElasticRanks, Make
from loaderbench.benches.harness.ranks.launched_ranks import LaunchedCase
from loaderbench.benches.harness.ranks.rank_pass import MakeTask, RankPass, RankTraining, in_group
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.ranked_work import RankedWork
from loaderbench.benches.harness.ranks.ray_ranks import RayRanks
from loaderbench.benches.harness.ranks.requests import Coordinator


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """The ranks of a case."""

    nproc_per_node: int
    pad: bool
    sampling: str | None
    """How samples are drawn; None where a sampler of the user's own does it."""
    timeout_s: float
    """That one pass may take."""
    ray_address: str = ""
    """The cluster of Ray that starts the ranks; else torch's elastic launcher does."""
    launched: LaunchedCase | None = None
    """The case where a launcher has started the ranks; else they are started for it."""

    def passes(
        self, subject: Subject, config: LoaderConfig, device: torch.device, make_task: MakeTask | None = None
    ) -> RankedWork:
        """Return work in which every rank reads its share of `subject`, and takes a step of `make_task` with it."""
        share = {"sampling": self.sampling, "pad": self.pad}

        def of_rank(place: RankPlace, own_device: torch.device) -> RankPass:
            if make_task is None:
                return RankPass(subject, config, own_device, place, **share)  # type: ignore[arg-type]
            return RankTraining(make_task, subject, config, own_device, place, **share)

        def make(place: RankPlace, store: Store) -> Any:
            return in_group(of_rank, device, place, store)

        steady = config.persistent_workers or not config.num_workers
        follow = None if self.launched is None else partial(self.launched.follow, make)
        return RankedWork(partial(self._start, make, device.type == "cuda"), steady=steady, follow=follow)

    def _start(self, make: Make, has_cuda: bool, stack: ExitStack) -> Coordinator:
        if self.launched is not None:
            return self.launched.start(make, stack)
        if self.ray_address:
            actors = stack.enter_context(RayRanks(self.ray_address, self.nproc_per_node, make, has_cuda=has_cuda))
            return Coordinator(
                store=actors.store, processes=actors, world_size=actors.world_size, timeout_s=self.timeout_s
            )
        processes = stack.enter_context(ElasticRanks(self.nproc_per_node, make))
        return Coordinator(
            store=processes.store, processes=processes, world_size=self.nproc_per_node, timeout_s=self.timeout_s
        )

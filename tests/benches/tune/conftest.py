"""A space of settings of a loader, none of them measured."""

from collections.abc import Callable
from typing import Any

import pytest
from torch.utils.data import default_collate

from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.tune.factors import torchs_values, values_of
from loaderbench.benches.tune.space import Space


@pytest.fixture
def space() -> Callable[..., Space]:
    """The space of a loader with these arguments; `choices` takes the place of the values of a few factors."""

    def make(
        choices: dict[str, list[Any]] | None = None, fixed: dict[str, Any] | None = None, **arguments: Any
    ) -> Space:
        given = {"num_workers": 1, "batch_size": 8, "shuffle": True, "collate_fn": default_collate, **arguments}
        config = loader_config(**given)
        own = values_of(config, 0)
        usual = {
            "num_workers": [0, 1, 2, 4],
            "batch_size": [8],
            "prefetch_factor": [2, 8],
            "persistent_workers": [False, True],
            "pin_memory": [False],
            "in_order": [True, False],
            "start_method": [None, "spawn"],
            "fetch": ["samples", "batches"],
            "collate_fn": ["own", "packed", "reused"],
            "one_thread": [False, True],
            "keep_memory": [False, True],
        }
        values = {**usual, **(choices or {})}
        return Space(config=config, choices=values, usual=torchs_values(own), fixed=fixed or {})

    return make

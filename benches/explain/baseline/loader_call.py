"""The arguments that a loader was given: in a record, and as the call of DataLoader to copy."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import default_collate

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.datasets.collate import default
from loaderbench.datasets.pytree import written
from loaderbench.reports.wording import dataloader_call

OURS = ("seed", "timeout")  # arguments of a loader that its user did not give
PLAIN = (int, float, str)


def plain_arguments(config: LoaderConfig) -> dict[str, Any]:
    """Return the arguments that are not torch's defaults, as texts and numbers."""
    return {name: value if isinstance(value, PLAIN) else written(value) for name, value in _given(config)}


def loader_call(config: LoaderConfig) -> str:
    """Return the call of DataLoader that `config` stands for, without the arguments that are torch's defaults."""
    is_torchs = {id(default), id(default_collate)}
    return dataloader_call(
        (name, repr(value) if isinstance(value, PLAIN) else written(value))
        for name, value in _given(config)
        if id(value) not in is_torchs
    )


def _given(config: LoaderConfig) -> Iterator[tuple[str, Any]]:
    defaults = LoaderConfig()
    for name in LoaderConfig.__dataclass_fields__:
        value = getattr(config, name)
        if name not in OURS and value != getattr(defaults, name):
            yield name, value

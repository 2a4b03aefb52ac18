"""The datasets that come with loaderbench, by the names that ``--dataset`` takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch.utils.data import Dataset

from loaderbench.datasets.images import photo_crops
from loaderbench.datasets.shards import photo_shards
from loaderbench.datasets.table import photo_pixel_rows, photo_pixels
from loaderbench.datasets.text import article_passages
from loaderbench.datasets.tokens import article_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogEntry:
    """A dataset: its name, the function that builds it, and the collate functions that fit it, its default first."""

    name: str
    build: Callable[..., Dataset[Any]]
    collate_fns: tuple[str, ...]
    quick_samples: int = 2048
    """How many of its samples a pass of the quick set of cases reads: less than a second in one process."""


_FIXED = ("default", "stack_into")  # for samples of fixed shape
_STACKED = ("default",)  # for datasets whose __getitems__ returns Stacked: nothing is left to collate
_ENTRIES = (
    CatalogEntry(name="text", build=article_passages, collate_fns=("pad", "pack")),
    CatalogEntry(name="images", build=photo_crops, collate_fns=_FIXED, quick_samples=128),
    CatalogEntry(name="tokens", build=article_tokens, collate_fns=_STACKED),
    CatalogEntry(name="table", build=photo_pixels, collate_fns=_STACKED),
    CatalogEntry(name="rows", build=photo_pixel_rows, collate_fns=_FIXED),
    CatalogEntry(name="shards", build=photo_shards, collate_fns=("default",)),
)
CATALOG: Mapping[str, CatalogEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})

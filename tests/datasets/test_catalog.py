"""The datasets that come with loaderbench: valid, the same in every kind of worker, and a model can learn from each."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import chain, islice
from statistics import fmean
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, mse_loss
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset

from loaderbench.datasets.catalog import CATALOG
from loaderbench.datasets.collate import COLLATE_FNS
from loaderbench.datasets.pytree import fingerprint
from loaderbench.datasets.validation import check_dataset

STEPS = 30  # of training, in which a loss falls by a tenth


@cache
def built(name: str) -> Dataset[Any]:
    return CATALOG[name].build()


def delivered(loader: DataLoader[Any]) -> Counter[bytes]:
    """Count the samples that `loader` delivers, by their fingerprints."""
    return Counter(fingerprint(sample) for batch in loader for sample in batch)


@pytest.mark.parametrize("name", CATALOG)
def test_each_is_valid_and_the_same_when_built_again(name: str) -> None:
    properties = check_dataset(built(name))
    assert (properties.deterministic, properties.pickle_error, CATALOG[name].name) == (True, None, name)
    assert fingerprint(CATALOG[name].build()) == fingerprint(built(name))


@pytest.mark.parametrize(
    ("name", "collate_fn"), [(name, collate_fn) for name in CATALOG for collate_fn in CATALOG[name].collate_fns]
)
def test_its_collate_functions_make_batches_of_it(name: str, collate_fn: str) -> None:
    batch = next(iter(DataLoader(built(name), batch_size=5, collate_fn=COLLATE_FNS[collate_fn])))
    fields = list(batch.values() if isinstance(batch, dict) else batch)
    assert {len(field) for field in (fields[1:] if collate_fn == "pack" else fields)} == {5}


def test_a_spawned_worker_delivers_the_samples_of_every_map_style_dataset() -> None:
    maps = [built(name) for name in CATALOG if not isinstance(built(name), IterableDataset)]
    dataset = ConcatDataset([Subset(part, range(6)) for part in maps])
    loader = DataLoader(dataset, 5, collate_fn=list, num_workers=1, multiprocessing_context="spawn")
    assert delivered(loader) == Counter(fingerprint(dataset[index]) for index in range(len(dataset)))


def test_workers_together_deliver_each_sample_of_the_stream_once() -> None:
    dataset = CATALOG["shards"].build(size=16)
    loader = DataLoader(dataset, 50, collate_fn=list, num_workers=2, multiprocessing_context="fork")
    assert delivered(loader) == Counter(map(fingerprint, dataset))


class Blurred(nn.Module):
    """A model of images (B, 3, H, W) by the mean colours of 8 by 8 patches."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 8 * 8, 8)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.head(adaptive_avg_pool2d(images, 8).flatten(1)))


def text_loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    return cross_entropy(model(batch["Text"], batch["Offset"]), batch["Class"])


def class_loss(model: nn.Module, batch: list[Tensor]) -> Tensor:
    return cross_entropy(model(batch[0]), batch[1])


def token_loss(model: nn.Module, batch: list[Tensor]) -> Tensor:
    return cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def table_loss(model: nn.Module, batch: list[Tensor]) -> Tensor:
    return mse_loss(model(batch[0]).squeeze(1), batch[1])


@pytest.mark.parametrize(
    ("name", "collate_fn", "make_model", "loss_of"),
    [
        ("text", "pack", lambda: nn.EmbeddingBag(10_000, 79, mode="mean"), text_loss),
        ("images", "default", Blurred, class_loss),
        ("tokens", "default", lambda: nn.Embedding(256, 256), token_loss),
        ("table", "default", lambda: nn.Linear(8, 1), table_loss),
    ],
)
def test_a_model_learns_from_it(
    name: str, collate_fn: str, make_model: Callable[[], nn.Module], loss_of: Callable[[nn.Module, Any], Tensor]
) -> None:
    torch.manual_seed(0)
    model = make_model()
    loader = DataLoader(built(name), 64, shuffle=True, collate_fn=COLLATE_FNS[collate_fn])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for batch in islice(chain(loader, loader), STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert fmean(losses[-5:]) < 0.9 * fmean(losses[:5])

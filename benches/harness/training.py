"""The training step: five lines, in order, on any batch that a collate function may return."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.models import MLP, BagClassifier, SmallCNN, SmallTransformer
from loaderbench.benches.harness.subject import NamedObject, Subject
from loaderbench.benches.harness.system.child import in_child

Loss = Callable[[Any, Any], Tensor]
Inputs = tuple[Any, ...] | dict[str, Any]

# The entry of a mapping that a model is to predict, the first of these that is there.
TARGETS = ("Class", "label", "labels", "target", "y")


def train_step(
    model: nn.Module, loss_fn: Loss, optimizer: torch.optim.Optimizer, inputs: Inputs, target: Any
) -> Tensor:
    """Take one step of training and return the loss, still on the device, so that nothing waits for it."""
    optimizer.zero_grad()
    output = model(**inputs) if isinstance(inputs, dict) else model(*inputs)
    loss = loss_fn(output, target)
    loss.backward()
    optimizer.step()
    return loss


def split(batch: Any, names: Sequence[str] = ()) -> tuple[Inputs, Any]:
    """Return inputs and target of a batch.

    The last of a sequence is its target; of a mapping, the first of `TARGETS` that it has. A mapping's other
    entries go to ``forward`` by keyword where all are among its argument `names`, else in order.
    """
    if isinstance(batch, Mapping):
        key = next((key for key in TARGETS if key in batch), None)
        if key is None:
            raise ValueError(f"a batch with the keys {list(batch)} has no target: name one of them {TARGETS}")
        inputs = {name: value for name, value in batch.items() if name != key}
        return (inputs if set(inputs) <= set(names) else tuple(inputs.values())), batch[key]
    if isinstance(batch, (tuple, list)) and len(batch) > 1:
        return tuple(batch[:-1]), batch[-1]
    raise ValueError(f"a batch must be a mapping, or a sequence that ends in its target, got {type(batch).__name__}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A model with its loss and optimizer: call it on a batch to take one step."""

    model: nn.Module
    loss_fn: Loss
    optimizer: torch.optim.Optimizer
    names: tuple[str, ...]  # of the arguments of the model's forward

    def __call__(self, batch: Any) -> Tensor:
        inputs, target = split(batch, self.names)
        return train_step(self.model, self.loss_fn, self.optimizer, inputs, target)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """The user's model, if any: ``--model``, ``--model-args`` and ``--loss``."""

    model: str = ""
    model_args: str = ""
    loss: str = ""

    def is_known_for(self, subject: Subject) -> bool:
        """Return whether there is a model for `subject`."""
        return bool(self.model) or subject.name in OURS

    def check(self) -> None:
        """Load model and loss in a process of its own; raises RefusedError saying which cannot be had."""
        in_child(lambda: bool(self.load()))

    def task(self, subject: Subject, device: torch.device) -> Task:
        """Return the task for `subject` on `device`, freshly seeded; raises RefusedError where no model is known."""
        if not self.is_known_for(subject):
            raise RefusedError(f"no model for {subject.name}: name one with --model module:Net")
        torch.manual_seed(0)
        given, given_loss = self.load()
        model, loss_fn = (given, functional.cross_entropy) if given is not None else OURS[subject.name](subject.source)
        return _task(model.to(device), given_loss or loss_fn)

    def load(self) -> tuple[nn.Module | None, Loss | None]:
        """Return the user's model and loss; raises RefusedError saying which cannot be had."""
        return self._model(), self._loss()

    def _model(self) -> nn.Module | None:
        if not self.model:
            return None
        named = NamedObject(option="--model", target=self.model)
        model = named.call(self.model_args)
        if not isinstance(model, nn.Module):
            raise named.refuse(f"it is a {type(model).__name__}, not a torch.nn.Module")
        return model

    def _loss(self) -> Loss | None:
        if not self.loss:
            return None
        if ":" not in self.loss and hasattr(functional, self.loss):
            return getattr(functional, self.loss)  # type: ignore[no-any-return]
        loss: Loss = NamedObject(option="--loss", target=self.loss).load()
        return loss() if isinstance(loss, type) else loss


def _task(model: nn.Module, loss_fn: Loss) -> Task:
    names = tuple(inspect.signature(model.forward).parameters)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return Task(model=model.train(), loss_fn=loss_fn, optimizer=optimizer, names=names)


# Our datasets' models, from what each dataset knows of itself.
OURS: Mapping[str, Callable[[Any], tuple[nn.Module, Loss]]] = {
    "text": lambda text: (BagClassifier(len(text.tokenizer), len(text.classes)), functional.cross_entropy),
    "images": lambda images: (SmallCNN(len(images.classes)), functional.cross_entropy),
    "shards": lambda shards: (SmallCNN(len(shards.classes)), functional.cross_entropy),
    "tokens": lambda tokens: (SmallTransformer(256, tokens.block), functional.cross_entropy),
    "table": lambda table: (MLP(table.features.shape[1]), functional.mse_loss),
    "rows": lambda table: (MLP(table.features.shape[1]), functional.mse_loss),
}

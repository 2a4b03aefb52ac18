"""The training step: what is done with each batch where the user has no step of their own.

A model is called with a batch's inputs, and a loss with its output and the target. Where the model takes the target too
(a Hugging Face model with ``labels``, a detector of torchvision with ``targets``), it returns its loss, or several.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Loss = Callable[[Any, Any], Tensor]
Inputs = tuple[Any, ...] | dict[str, Any]

# The entry of a mapping that a model is to predict, the first of these that is there.
TARGETS = ("Class", "label", "labels", "target", "targets", "y")


def train_step(
    model: nn.Module, loss_fn: Callable[..., Tensor], optimizer: torch.optim.Optimizer, inputs: Inputs, *target: Any
) -> Tensor:
    """Take the five steps of training and return the loss, still on the device, so that nothing waits for it.

    `target` is left out where the model's output holds the loss.
    """
    optimizer.zero_grad()  # 1. clear the gradients of the last batch
    output = model(**inputs) if isinstance(inputs, dict) else model(*inputs)  # 2. forward
    loss = loss_fn(output, *target)  # 3. the loss
    loss.backward()  # 4. backward: autograd computes the gradients
    optimizer.step()  # 5. update the parameters
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
class UsualStep:
    """The step of a model where the user has none: call it on a batch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss_fn: Loss | None
    """As it was asked for; None: the model's own where it takes the target, else cross entropy."""
    parameters: tuple[inspect.Parameter, ...]
    """Of the model's ``forward``."""

    def __call__(self, batch: Any) -> Tensor:
        names = tuple(parameter.name for parameter in self.parameters)
        if self.loss_fn is None and (arguments := arguments_with_target(batch, self.parameters)) is not None:
            return train_step(self.model, loss_in, self.optimizer, arguments)
        inputs, target = split(batch, names)
        return train_step(self.model, self.loss_fn or functional.cross_entropy, self.optimizer, inputs, target)


def arguments_with_target(batch: Any, parameters: Sequence[inspect.Parameter]) -> Inputs | None:
    """Return the arguments of a model that takes a batch's target too; None where it takes the inputs alone.

    Of a mapping, the target goes by the name of an argument, and so do all entries that are one; of a sequence, the
    argument at the place of its last entry is called as a target is (`TARGETS`).
    """
    names = [parameter.name for parameter in parameters]
    if isinstance(batch, Mapping):
        if not any(key in batch and key in names for key in TARGETS):
            return None
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        return {name: value for name, value in batch.items() if takes_all or name in names}
    if isinstance(batch, (tuple, list)) and 1 < len(batch) <= len(names) and names[len(batch) - 1] in TARGETS:
        return tuple(batch)
    return None


def loss_in(output: Any) -> Tensor:
    """Return the loss in what a model returned: its ``loss``, the sum of a dict of losses, or its one number."""
    loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if isinstance(loss, Tensor):
        return loss
    values = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    losses = [value for value in values if isinstance(value, Tensor) and value.numel() == 1]
    if isinstance(output, Mapping) and losses and len(losses) == len(output):
        return torch.stack([loss.reshape(()) for loss in losses]).sum()
    if isinstance(output, Tensor) and output.numel() == 1:
        return output
    if losses and not isinstance(output, Mapping):
        return losses[0]
    raise ValueError(
        f"the model took the target and returned a {type(output).__name__} without a loss: "
        "name a loss with --loss, or your own step with --train-step"
    )

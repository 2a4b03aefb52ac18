"""The training step: what is done with each batch. The user's own, or one of three that need no code.

A model is called with a batch's inputs, and a loss with its output and the target. Where the model takes the target too
(a Hugging Face model with ``labels``, a detector of torchvision with ``targets``), it returns its loss, or several.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.models import MLP, BagClassifier, SmallCNN, SmallTransformer
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.devices import available

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is trained, and how: call it on a batch to take one step."""

    step: Callable[[Any], Any]
    model: nn.Module | None
    """None where the user's own step has one of its own."""

    def __call__(self, batch: Any) -> Any:
        return self.step(batch)


def import_for_optimizers() -> None:
    """Import what torch imports for its first optimizer, some two seconds of work: once, before processes fork.

    Without an accelerator only: what an import does to a driver, processes forked afterwards would inherit.
    """
    if available() == ("cpu",):
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """The user's model and step, if any: the options of the same names."""

    model: str = ""
    model_args: str = ""
    loss: str = ""
    train_step: str = ""
    optimizer: str = ""

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "ModelChoice":
        """Return the choice that the options of these names make."""
        return cls(**{entry.name: texts[entry.name] for entry in fields(cls)})

    def is_known_for(self, subject: Subject) -> bool:
        """Return whether there is something to train on `subject`."""
        return bool(self.model or self.train_step) or subject.name in OURS

    def check(self) -> None:
        """Load all that is named in a process of its own; raises RefusedError saying which cannot be had."""
        if self == ModelChoice():
            return
        in_child(lambda: bool((self._model(), self._loss(), self._optimizer_class(), self._own_step())))

    def task(
        self, subject: Subject, device: torch.device, wrap: Callable[[nn.Module], nn.Module] = lambda model: model
    ) -> Task:
        """Return the task for `subject` on `device`, freshly seeded; raises RefusedError where no model is known.

        What is called in a step is what `wrap` makes of the model.
        """
        if not self.is_known_for(subject):
            raise RefusedError(f"no model for {subject.name}: name one with --model module:Net")
        torch.manual_seed(0)
        model, loss_fn = self._model(), self._loss()
        if model is None and subject.name in OURS:
            model, our_loss = OURS[subject.name](subject.source)
            loss_fn = loss_fn or our_loss
        if model is not None:
            model = model.to(device).train()
        optimizer = None if model is None else self._optimizer(model)
        called = None if model is None else wrap(model)
        if self.train_step:
            return Task(step=self._bound(called, optimizer, device), model=model)
        if model is None or called is None or optimizer is None:
            raise RefusedError(f"--model {self.model}: it has no parameters to train")
        parameters = tuple(inspect.signature(model.forward).parameters.values())
        step = UsualStep(model=called, optimizer=optimizer, loss_fn=loss_fn, parameters=parameters)
        return Task(step=step, model=model)

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

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer | None:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not parameters:
            return None
        if not self.optimizer:
            return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
        try:
            return self._optimizer_class()(parameters)  # type: ignore[no-any-return]
        except Exception as error:
            named = NamedObject(option="--optimizer", target=self.optimizer)
            raise named.refuse(f"calling it with parameters raised {type(error).__name__}: {error}") from error

    def _optimizer_class(self) -> Any:
        if ":" not in self.optimizer and hasattr(torch.optim, self.optimizer or "SGD"):
            return getattr(torch.optim, self.optimizer or "SGD")
        return NamedObject(option="--optimizer", target=self.optimizer).load()

    def _own_step(self) -> Any:
        return NamedObject(option="--train-step", target=self.train_step).load() if self.train_step else None

    def _bound(self, model: nn.Module | None, optimizer: Any, device: torch.device) -> Callable[[Any], Any]:
        """Return the user's own step as a function of a batch."""
        named, given = NamedObject(option="--train-step", target=self.train_step), self._own_step()
        if isinstance(given, type):
            known = {"model": model, "optimizer": optimizer, "device": device}
            taken = inspect.signature(given).parameters
            try:
                given = given(**{name: value for name, value in known.items() if name in taken})
            except Exception as error:
                raise named.refuse(f"calling it raised {type(error).__name__}: {error}") from error
        if not inspect.isroutine(given) and callable(getattr(given, "step", None)):
            return given.step  # type: ignore[no-any-return]
        if not callable(given):
            raise named.refuse(f"it is a {type(given).__name__}: neither a function nor an object with step(batch)")
        if model is None:
            raise named.refuse("it is called with a model, a batch and an optimizer: name the model with --model")
        return lambda batch: given(model, batch, optimizer)


# Our datasets' models, from what each dataset knows of itself.
OURS: Mapping[str, Callable[[Any], tuple[nn.Module, Loss]]] = {
    "text": lambda text: (BagClassifier(len(text.tokenizer), len(text.classes)), functional.cross_entropy),
    "images": lambda images: (SmallCNN(len(images.classes)), functional.cross_entropy),
    "shards": lambda shards: (SmallCNN(len(shards.classes)), functional.cross_entropy),
    "tokens": lambda tokens: (SmallTransformer(256, tokens.block), functional.cross_entropy),
    "table": lambda table: (MLP(table.features.shape[1]), functional.mse_loss),
    "rows": lambda table: (MLP(table.features.shape[1]), functional.mse_loss),
}

"""The model, loss, optimizer and step that the user names, or ours: what makes the `Task` of a case."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.training.models import MLP, BagClassifier, SmallCNN, SmallTransformer
from loaderbench.benches.harness.training.train_step import Loss, UsualStep


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
        named = NamedObject(option="--loss", target=self.loss)
        loss = named.load()
        if isinstance(loss, type):
            try:
                loss = loss()
            except Exception as error:
                raise named.refuse(f"calling it raised {type(error).__name__}: {error}") from error
        if not callable(loss):
            raise named.refuse(f"it is a {type(loss).__name__}, which cannot be called")
        return loss  # type: ignore[no-any-return]

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer | None:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not parameters:
            return None
        if not self.optimizer:
            return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
        optimizer_class = self._optimizer_class()
        try:
            return optimizer_class(parameters)  # type: ignore[no-any-return]
        except Exception as error:
            named = NamedObject(option="--optimizer", target=self.optimizer)
            raise named.refuse(f"calling it with parameters raised {type(error).__name__}: {error}") from error

    def _optimizer_class(self) -> Any:
        if ":" not in self.optimizer and hasattr(torch.optim, self.optimizer or "SGD"):
            return getattr(torch.optim, self.optimizer or "SGD")
        named = NamedObject(option="--optimizer", target=self.optimizer)
        if not callable(given := named.load()):
            raise named.refuse(f"it is a {type(given).__name__}, which cannot be called")
        return given

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

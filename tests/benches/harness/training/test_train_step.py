"""The training step: five parts in order, on any batch."""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from loaderbench.benches.harness.training.train_step import arguments_with_target, loss_in, split, train_step

CPU = torch.device("cpu")
X, Y, Z = torch.zeros(2, 3), torch.ones(2), torch.full((2,), 2.0)


def test_the_last_of_a_sequence_is_its_target() -> None:
    assert split([X, Y, Z]) == ((X, Y), Z)


@pytest.mark.parametrize("target", ["Class", "label", "labels", "target", "targets", "y"])
def test_a_mapping_s_target_goes_by_its_name(target: str) -> None:
    assert split({target: Y, "Text": X}) == ((X,), Y)


def test_a_mapping_s_other_entries_go_by_keyword_where_the_model_knows_them() -> None:
    batch = {"input_ids": X, "attention_mask": Z, "labels": Y}
    assert split(batch, ("input_ids", "attention_mask", "more")) == ({"input_ids": X, "attention_mask": Z}, Y)


def test_a_mapping_s_other_entries_go_in_order_where_it_does_not() -> None:
    assert split({"Text": X, "Class": Y, "Length": Z}, ("text", "where")) == ((X, Z), Y)


def test_a_mapping_without_a_target_is_refused_by_its_keys() -> None:
    with pytest.raises(
        ValueError, match=r"^a batch with the keys \['Text'\] has no target: name one of them \('Class'"
    ):
        split({"Text": X})


@pytest.mark.parametrize("batch", [X, [X], "text"])
def test_a_batch_without_a_target_is_refused_by_its_type(batch: Any) -> None:
    with pytest.raises(ValueError, match="^a batch must be a mapping, or a sequence that ends in its target, got "):
        split(batch)


def parameters(*names: str) -> list[inspect.Parameter]:
    """The parameters of a ``forward``."""
    usual, others = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_KEYWORD
    return [inspect.Parameter(name.lstrip("*"), others if name.startswith("**") else usual) for name in names]


def test_a_model_that_takes_the_labels_is_given_them_by_name() -> None:
    batch = {"input_ids": X, "labels": Y, "row": Z}
    assert arguments_with_target(batch, parameters("input_ids", "labels")) == {"input_ids": X, "labels": Y}
    assert arguments_with_target(batch, parameters("input_ids", "labels", "**more")) == batch


def test_a_model_that_takes_the_targets_is_given_them_in_their_place() -> None:
    assert arguments_with_target((X, Y), parameters("images", "targets")) == (X, Y)


@pytest.mark.parametrize(
    ("batch", "names"), [({"input_ids": X, "labels": Y}, ["input_ids"]), ((X, Y), ["x"]), ((X, Y), ["x", "mask"])]
)
def test_a_model_that_takes_the_inputs_alone_is_not_given_its_target(batch: Any, names: list[str]) -> None:
    assert arguments_with_target(batch, parameters(*names)) is None


LOSS = torch.tensor(3.0)


@pytest.mark.parametrize(
    "output",
    [
        SimpleNamespace(loss=LOSS, logits=X), {"loss": LOSS, "logits": X}, (LOSS, X), (X, LOSS), LOSS,
        {"boxes": torch.tensor(1.0), "classes": torch.tensor([2.0])},
    ],
)  # fmt: skip
def test_the_loss_is_found_in_what_a_model_returns(output: Any) -> None:
    assert loss_in(output).item() == 3.0


@pytest.mark.parametrize("output", [X, {"logits": X}, (X, Y), {"boxes": LOSS, "logits": X}, None])
def test_an_output_without_a_loss_says_what_to_name(output: Any) -> None:
    with pytest.raises(ValueError, match="without a loss: name a loss with --loss, or your own step with --train-step"):
        loss_in(output)


class Recorded(torch.optim.SGD):
    """Says what it was asked, and when."""

    def __init__(self, model: nn.Module, calls: list[str]) -> None:
        super().__init__(model.parameters(), lr=0.1)
        self.calls = calls

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.calls.append("zero_grad")
        super().zero_grad(set_to_none)

    def step(self, closure: Any = None) -> None:
        self.calls.append("step")
        super().step(closure)


def test_a_step_is_its_five_parts_in_order() -> None:
    calls: list[str] = []
    model = nn.Linear(3, 1)
    model.register_forward_hook(lambda *_: calls.append("forward"))
    model.weight.register_hook(lambda _: calls.append("backward"))

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        calls.append("loss")
        return functional.mse_loss(output, target)

    train_step(model, loss_fn, Recorded(model, calls), (torch.ones(2, 3),), torch.zeros(2, 1))
    assert calls == ["zero_grad", "forward", "loss", "backward", "step"]


def test_a_step_changes_the_parameters() -> None:
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_step(model, functional.mse_loss, optimizer, (torch.ones(2, 3),), torch.full((2, 1), 9.0))
    assert not torch.equal(model.weight, before)


def test_gradients_of_the_step_before_are_gone() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for _ in range(2):
        train_step(model, functional.mse_loss, optimizer, (torch.ones(2, 3),), torch.full((2, 1), 9.0))
    twice = model.weight.grad.clone()
    optimizer.zero_grad()
    train_step(model, functional.mse_loss, optimizer, (torch.ones(2, 3),), torch.full((2, 1), 9.0))
    assert torch.equal(model.weight.grad, twice)

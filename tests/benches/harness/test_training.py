"""Training: five steps in order, on any batch; and learning is real."""

import inspect
from collections.abc import Callable
from itertools import cycle, islice
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from loaderbench.benches.harness.loading.collate_choice import collate_fn
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import DatasetChoice
from loaderbench.benches.harness.training import ModelChoice, arguments_with_target, loss_in, split, train_step
from loaderbench.datasets.catalog import CATALOG

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


@pytest.mark.parametrize(
    ("name", "collate"),
    [("text", "pad"), ("text", "pack"), ("images", "default"), ("tokens", "default"), ("table", "default")],
)
def test_the_loss_falls_on_ours(name: str, collate: str) -> None:
    subject = DatasetChoice().subject(name)
    task = ModelChoice().task(subject, CPU)
    config = LoaderConfig(batch_size=16, collate_fn=collate_fn(collate), seed=0, shuffle=True)
    batches = list(islice(config.build(subject.dataset), 8))
    losses = [task(batch).item() for batch in islice(cycle(batches), 5 * len(batches))]  # type: ignore[misc]
    assert fmean(losses[-len(batches) :]) < 0.97 * fmean(losses[: len(batches)])


@pytest.mark.parametrize("name", CATALOG)
def test_each_of_ours_has_a_model_that_takes_its_batches(name: str) -> None:
    subject = DatasetChoice().subject(name)
    task = ModelChoice().task(subject, CPU)
    batch = next(iter(LoaderConfig(batch_size=2, collate_fn=collate_fn(subject.collate_fns[0])).build(subject.dataset)))
    assert task(batch).isfinite()  # type: ignore[misc]


def test_a_task_begins_from_the_same_parameters_every_time() -> None:
    subject = DatasetChoice().subject("table")
    first, second = (ModelChoice().task(subject, CPU).model.state_dict() for _ in range(2))  # type: ignore[union-attr]  # it has a model
    assert all(torch.equal(first[name], second[name]) for name in first)


MODELS = """
import torch

class Net(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = torch.nn.Linear(1, width)

    def forward(self, x):
        return self.layer(x.float().unsqueeze(1))

class Keyed(Net):
    def forward(self, attention_mask, input_ids):
        assert attention_mask.dtype == torch.bool, "arguments in the order of the batch, not by name"
        return super().forward(input_ids[:, 0] * attention_mask[:, 0])

class Labelled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, input_ids, attention_mask=None, labels=None):
        logits = self.layer(input_ids.float())
        return {"logits": logits, "loss": torch.nn.functional.cross_entropy(logits, labels)}

class Detector(Net):
    def forward(self, images, targets=None):
        return {"boxes": super().forward(images).sum(), "classes": targets.sum() * self.layer.weight.sum()}

def step(model, batch, optimizer):
    assert isinstance(optimizer, torch.optim.Adam), optimizer
    model(batch[0]).sum().backward()
    optimizer.step()

class Trainer:
    def __init__(self, device):
        self.model = Net().to(device)

    def step(self, batch):
        self.model(batch[0])

def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)

class Summed(torch.nn.Module):
    def forward(self, output, target):
        return (output.sum(1) - target).abs().sum()

def summed(output, target):
    return Summed()(output, target)

class Words:
    def __len__(self):
        return 16

    def __getitem__(self, index):
        mask = torch.ones(4, dtype=torch.bool)
        return {"input_ids": torch.arange(4) + index, "attention_mask": mask, "labels": range(16)[index] % 4}
"""
TRAINING = ("--pyargs", "loaderbench.benches.bench_training", "--device", "cpu", "--num-workers", "0")


@pytest.fixture
def trained(suite: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    pytester.makepyfile(theirs=MODELS)
    return lambda *arguments: suite(*TRAINING, "--benchmark-disable", *arguments)


@pytest.mark.parametrize("loss", ["cross_entropy", "theirs:Summed", "theirs:summed", "torch.nn:CrossEntropyLoss"])
def test_the_user_s_model_trains_on_the_user_s_dataset(trained: Callable[..., pytest.RunResult], loss: str) -> None:
    result = trained("--dataset", "mine:Numbers", "--model", "theirs:Net", "--loss", loss)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "arguments",
    [
        "--dataset theirs:Words --model theirs:Labelled",
        "--dataset mine:Numbers --model theirs:Detector",
        "--dataset mine:Numbers --model theirs:Net --train-step theirs:step --optimizer Adam",
        "--dataset mine:Numbers --model theirs:Net --train-step theirs:step --optimizer theirs:adam",
        "--dataset mine:Numbers --train-step theirs:Trainer",
    ],
)
def test_models_that_return_their_loss_and_steps_of_the_user_s_own_need_no_more(
    trained: Callable[..., pytest.RunResult], arguments: str
) -> None:
    trained(*arguments.split()).assert_outcomes(passed=1)


def test_a_step_that_is_called_with_a_model_asks_for_it(trained: Callable[..., pytest.RunResult]) -> None:
    result = trained("--dataset", "mine:Numbers", "--train-step", "theirs:step")
    result.stdout.fnmatch_lines(["*FAILED: *--train-step theirs:step: it is called with a model, *--model*"])


def test_model_args_reach_the_model(trained: Callable[..., pytest.RunResult]) -> None:
    too_narrow = ("--model-args", '{"width": 1}')  # for two classes
    result = trained("--dataset", "mine:Numbers", "--model", "theirs:Net", *too_narrow)
    result.stdout.fnmatch_lines(["*FAILED: IndexError: Target 1 is out of bounds*"])


def test_batches_as_transformers_has_them_go_to_the_model_by_keyword(trained: Callable[..., pytest.RunResult]) -> None:
    trained("--dataset", "theirs:Words", "--model", "theirs:Keyed").assert_outcomes(passed=1)


def test_a_dataset_that_no_model_is_known_for_is_skipped_and_says_so(trained: Callable[..., pytest.RunResult]) -> None:
    result = trained("--dataset", "mine:Numbers")
    result.stdout.fnmatch_lines(["*skipped: no model for mine:Numbers: name one with --model module:Net"])

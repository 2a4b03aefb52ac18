"""What is trained: learning is real on our datasets, and the user's own model and step need no more."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from itertools import cycle, islice
from statistics import fmean

import pytest
import torch

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.collate_choice import collate_fn
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import DatasetChoice
from loaderbench.benches.harness.training.model_choice import ModelChoice
from loaderbench.datasets.catalog import CATALOG

CPU = torch.device("cpu")


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


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"loss": "json"}, "--loss json: it is a module, which cannot be called"),
        ({"loss": "json:loads"}, ""),
        ({"loss": "torch.nn:Bilinear"}, "--loss torch.nn:Bilinear: calling it raised TypeError: "),
        ({"loss": "string:digits"}, "--loss string:digits: it is a str, which cannot be called"),
        ({"optimizer": "string:digits"}, "--optimizer string:digits: it is a str, which cannot be called"),
    ],
    ids=["module", "function", "class with arguments", "loss", "optimizer"],
)
def test_what_cannot_be_a_loss_or_an_optimizer_is_refused_before_it_is_used(given: dict[str, str], why: str) -> None:
    with pytest.raises(RefusedError, match=f"^{re.escape(why)}") if why else nullcontext():
        ModelChoice(**given).check()


def test_model_args_reach_the_model(trained: Callable[..., pytest.RunResult]) -> None:
    too_narrow = ("--model-args", '{"width": 1}')  # for two classes
    result = trained("--dataset", "mine:Numbers", "--model", "theirs:Net", *too_narrow)
    result.stdout.fnmatch_lines(["*FAILED: IndexError: Target 1 is out of bounds*"])


def test_batches_as_transformers_has_them_go_to_the_model_by_keyword(trained: Callable[..., pytest.RunResult]) -> None:
    trained("--dataset", "theirs:Words", "--model", "theirs:Keyed").assert_outcomes(passed=1)


def test_a_dataset_that_no_model_is_known_for_is_skipped_and_says_so(trained: Callable[..., pytest.RunResult]) -> None:
    result = trained("--dataset", "mine:Numbers")
    result.stdout.fnmatch_lines(["*skipped: no model for mine:Numbers: name one with --model module:Net"])

"""Models: what goes in and what comes out."""

import pytest
import torch
from torch import nn

from loaderbench.benches.harness.training.models import MLP, BagClassifier, Linear, SmallCNN, SmallTransformer


def test_linear_is_what_torch_s_is() -> None:
    ours, torchs = Linear(3, 2), nn.Linear(3, 2)
    torchs.load_state_dict(ours.state_dict())
    rows = torch.randn(4, 3)
    assert torch.allclose(ours(rows), torchs(rows))


@pytest.mark.parametrize(
    ("model", "inputs", "outputs"),
    [
        (SmallCNN(classes=5), (torch.rand(2, 3, 32, 48),), (2, 5)),
        (SmallTransformer(vocabulary=9, length=6), (torch.randint(9, (2, 6)),), (2, 9, 6)),
        (MLP(features=4), (torch.rand(2, 4),), (2,)),
    ],
    ids=["SmallCNN", "SmallTransformer", "MLP"],
)
def test_a_batch_goes_in_and_predictions_come_out(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], outputs: tuple[int, ...]
) -> None:
    assert model(*inputs).shape == outputs


def test_a_bag_of_words_is_the_same_padded_and_packed() -> None:
    model = BagClassifier(vocabulary=10, classes=3)
    padded = model(torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([3, 1]))
    packed = model(torch.tensor([5, 6, 7, 8]), torch.tensor([0, 3]))
    assert torch.allclose(padded, packed, atol=1e-6)


def test_the_transformer_does_not_see_the_token_it_is_to_predict() -> None:
    model = SmallTransformer(vocabulary=9, length=6).eval()
    tokens = torch.randint(9, (1, 6))
    changed = tokens.clone()
    changed[0, -1] = (changed[0, -1] + 1) % 9
    assert torch.allclose(model(tokens)[:, :, :-1], model(changed)[:, :, :-1], atol=1e-5)


def test_every_parameter_learns() -> None:
    for model, inputs in [(MLP(features=4), torch.rand(2, 4)), (SmallCNN(classes=5), torch.rand(2, 3, 32, 32))]:
        model(inputs).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())

"""Small models, one for each kind of data, in the form a course on PyTorch teaches: Module, Parameter, forward."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Linear(nn.Module):
    """``x @ weight.T + bias``, its two parameters written out: what ``nn.Linear`` is."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        return x @ self.weight.T + self.bias


class BagClassifier(nn.Module):
    """The mean of a text's word vectors, then one linear layer: takes padded batches and packed ones."""

    def __init__(self, vocabulary: int, classes: int, width: int = 64) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(vocabulary, width) * 0.1)
        self.head = Linear(width, classes)

    def forward(self, text: Tensor, where: Tensor) -> Tensor:
        """Return logits (B, classes).

        `text` is (B, L) padded with 0, `where` then the lengths and not needed; or `text` is flat, (sum of L,), and
        `where` (B,) says where each begins: ``EmbeddingBag``'s offsets.
        """
        offsets = where if text.dim() == 1 else None
        bags = functional.embedding_bag(text, self.vectors, offsets, mode="mean", padding_idx=0)
        return torch.as_tensor(self.head(bags))


class SmallCNN(nn.Module):
    """Three strided convolutions and a mean over what is left of the picture."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=4, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.head = Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) to logits (B, classes)."""
        return torch.as_tensor(self.head(self.features(images).mean(dim=(2, 3))))


class SmallTransformer(nn.Module):
    """A causal language model: learnt positions, one encoder layer, logits for the next token."""

    def __init__(self, vocabulary: int, length: int, width: int = 32) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(vocabulary, width) * 0.1)
        self.positions = nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, T) token ids to logits (B, vocabulary, T), the order that ``cross_entropy`` wants."""
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=tokens.device)
        hidden = self.encoder(self.vectors[tokens] + self.positions[:length], mask=mask, is_causal=True)
        return torch.as_tensor(self.head(hidden)).transpose(1, 2)


class MLP(nn.Module):
    """Two linear layers with a ReLU between them: one number from a row of features."""

    def __init__(self, features: int, width: int = 64) -> None:
        super().__init__()
        self.hidden = Linear(features, width)
        self.head = Linear(width, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Map (B, features) to predictions (B,)."""
        return torch.as_tensor(self.head(torch.relu(self.hidden(rows)))).squeeze(1)

"""Texts of different lengths and their classes: the Dataset of most PyTorch tutorials."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

PADDING = 0
UNKNOWN = 1
_WORD = re.compile(r"\w+|[^\w\s]")


class TextSample(TypedDict):
    """A sample: token ids (L,), or the text itself if there is no tokenizer; and its class."""

    Text: Tensor | str
    Class: int


class Vocabulary:
    """A tokenizer: a text becomes the ids of its words, numbered from the most frequent one in `texts`.

    0 is padding, and 1 stands for every word that is not in `texts`.

    >>> vocabulary = Vocabulary(["the cat and the dog"])
    >>> vocabulary("The dog sat")
    tensor([2, 5, 1])
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts = Counter(word for text in texts for word in words(text))
        self.ids = {word: number for number, (word, _) in enumerate(counts.most_common(), start=UNKNOWN + 1)}

    def __len__(self) -> int:
        """Return the number of ids, including padding and unknown."""
        return len(self.ids) + UNKNOWN + 1

    def __call__(self, text: str) -> Tensor:
        """Return token ids, int64 (L,)."""
        return torch.tensor([self.ids.get(word, UNKNOWN) for word in words(text)], dtype=torch.long)


class TextDataset(Dataset[TextSample]):
    """Texts and labels; a text is tokenized when its sample is read.

    >>> dataset = TextDataset(["a cat", "two dogs"], [0, 1])
    >>> dataset[1]
    {'Text': 'two dogs', 'Class': 1}
    """

    def __init__(
        self,
        texts: Sequence[str],
        labels: Sequence[int],
        tokenizer: Callable[[str], Tensor] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        if len(texts) != len(labels):
            raise ValueError(f"labels must be one for each text, got {len(labels)} labels for {len(texts)} texts")
        # Not a list: a forked worker would end up with a copy of it (see recipes/compact.py).
        self.texts = string_array(texts)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.tokenizer = tokenizer
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> TextSample:
        text = self.texts[index]
        return {"Text": self.tokenizer(text) if self.tokenizer else text, "Class": int(self.labels[index])}


def words(text: str) -> list[str]:
    """Return the words and punctuation marks of `text` in lower case.

    >>> words("Raises ValueError.")
    ['raises', 'valueerror', '.']
    """
    return _WORD.findall(text.lower())


def string_array(values: Iterable[str]) -> NDArray[Any]:
    """Return `values` as an array of NumPy's variable-width strings, whose elements are ``str``."""
    return np.array(list(values), dtype=np.dtypes.StringDType())


def articles() -> dict[str, str]:
    """Return CPython's help on its language by topic, as ``help("assert")`` shows it: about 80 articles, 500 kB.

    They change a little from one Python version to the next.
    """
    from pydoc_data.topics import topics  # noqa: PLC0415  half a megabyte that a user's own data does not need

    return dict(topics)


def passages(article: str, least_words: int = 8) -> list[str]:
    r"""Return the paragraphs of `article` that are long enough to predict its class from.

    >>> passages("Title\n*****\n\nA passage is the text between two empty lines.\n\nShort.\n")
    ['A passage is the text between two empty lines.']
    """
    paragraphs = (paragraph.strip() for paragraph in re.split(r"\n\s*\n", article))
    return [paragraph for paragraph in paragraphs if len(paragraph.split()) >= least_words]


def article_passages(*, tokenized: bool = True) -> TextDataset:
    """Return the passages of CPython's help articles as a dataset; the class of a passage is its article."""
    topics = sorted(articles().items())
    labelled = [(text, label) for label, (_, article) in enumerate(topics) for text in passages(article)]
    texts, labels = [text for text, _ in labelled], [label for _, label in labelled]
    classes = [topic for topic, _ in topics]
    return TextDataset(texts, labels, Vocabulary(texts) if tokenized else None, classes)

"""Texts of unequal length and their classes: the Dataset that every PyTorch course begins with."""

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
    """One sample: token ids (L,) or, where there is no tokenizer, the text itself; and its class."""

    Text: Tensor | str
    Class: int


class Vocabulary:
    """A tokenizer: the words of a text as ids, the more frequent the smaller.

    0 is kept for padding, and 1 stands for every word that `texts` lack.

    >>> vocabulary = Vocabulary(["the cat and the dog"])
    >>> vocabulary("The dog sat")
    tensor([2, 5, 1])
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts = Counter(word for text in texts for word in words(text))
        self.ids = {word: number for number, (word, _) in enumerate(counts.most_common(), start=UNKNOWN + 1)}

    def __len__(self) -> int:
        """How many ids there are, padding and unknown among them."""
        return len(self.ids) + UNKNOWN + 1

    def __call__(self, text: str) -> Tensor:
        """Token ids (L,), int64."""
        return torch.tensor([self.ids.get(word, UNKNOWN) for word in words(text)], dtype=torch.long)


class TextDataset(Dataset[TextSample]):
    """Texts and labels. A text is tokenised when its sample is asked for.

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
        # An array, not a list: to read a list's element is to write its reference count, and so a forked
        # worker soon has its own copy of every page (pytorch#13246).
        self.texts = strings(texts)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.tokenizer = tokenizer
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> TextSample:
        text = self.texts[index]
        return {"Text": self.tokenizer(text) if self.tokenizer else text, "Class": int(self.labels[index])}


def words(text: str) -> list[str]:
    """The words and the punctuation marks of `text`, in small letters.

    >>> words("Raises ValueError.")
    ['raises', 'valueerror', '.']
    """
    return _WORD.findall(text.lower())


def strings(values: Iterable[str]) -> NDArray[Any]:
    """`values` in one array of numpy's variable-width strings: an element read is a plain ``str``."""
    return np.array(list(values), dtype=np.dtypes.StringDType())


def articles() -> dict[str, str]:
    """CPython's own help on its language, by topic: some 80 articles and half a million letters in English.

    They are what ``help("assert")`` shows. Their wording differs a little from one Python version to the
    next.
    """
    from pydoc_data.topics import topics  # noqa: PLC0415  half a megabyte that a user's own data does not need

    return dict(topics)


def passages(article: str, least_words: int = 8) -> list[str]:
    r"""The paragraphs of `article` that are long enough to tell its class.

    >>> passages("Title\n*****\n\nA passage is what stands between two empty lines.\n\nShort.\n")
    ['A passage is what stands between two empty lines.']
    """
    paragraphs = (paragraph.strip() for paragraph in re.split(r"\n\s*\n", article))
    return [paragraph for paragraph in paragraphs if len(paragraph.split()) >= least_words]


def article_passages(*, tokenized: bool = True) -> TextDataset:
    """The passages of CPython's help articles; a passage's class is its article."""
    topics = sorted(articles().items())
    labelled = [(text, label) for label, (_, article) in enumerate(topics) for text in passages(article)]
    texts, labels = [text for text, _ in labelled], [label for _, label in labelled]
    classes = [topic for topic, _ in topics]
    return TextDataset(texts, labels, Vocabulary(texts) if tokenized else None, classes)

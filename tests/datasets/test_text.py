"""Texts, their tokenizer, and the passages of CPython's help."""

import pickle

import pytest
import torch

from loaderbench.datasets.text import PADDING, UNKNOWN, TextDataset, Vocabulary, article_passages, passages


def test_a_sample_is_a_text_and_its_class() -> None:
    assert TextDataset(["a cat", "two dogs"], [0, 1])[1] == {"Text": "two dogs", "Class": 1}


def test_a_text_is_tokenized_when_its_sample_is_read() -> None:
    tokenized: list[str] = []
    dataset = TextDataset(["a cat", "two dogs"], [0, 1], lambda text: torch.tensor(tokenized.append(text) or [1]))
    _ = dataset[1]
    assert tokenized == ["two dogs"]


def test_it_is_indexed_as_a_list_is() -> None:
    dataset = TextDataset(["a", "b"], [0, 1])
    assert len(dataset) == 2
    assert [dataset[index]["Text"] for index in range(-2, 0)] == ["a", "b"]
    with pytest.raises(IndexError):
        _ = dataset[2]


def test_texts_without_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="labels must be one for each text, got 1 labels for 2 texts"):
        TextDataset(["a", "b"], [0])


def test_texts_keep_every_character() -> None:
    texts = ["", "naïve\n\ttext", "\N{SNAKE}" * 40]
    dataset = pickle.loads(pickle.dumps(TextDataset(texts, [0, 1, 2])))
    assert [dataset[index]["Text"] for index in range(3)] == texts


def test_words_are_numbered_by_frequency_after_padding_and_unknown() -> None:
    vocabulary = Vocabulary(["b a a"])
    assert vocabulary("a b").tolist() == [2, 3]
    assert vocabulary("x y").tolist() == [UNKNOWN, UNKNOWN] == [PADDING + 1] * 2
    assert len(vocabulary) == 4


def test_titles_and_short_lines_are_no_passages() -> None:
    assert passages("Title\n*****\n\nshort\n\none two three four five six seven eight\n") == [
        "one two three four five six seven eight"
    ]


def test_the_articles_give_about_two_thousand_passages_of_different_lengths() -> None:
    dataset = article_passages()
    assert 1500 <= len(dataset) <= 2500
    assert len({len(dataset[index]["Text"]) for index in range(100)}) > 20
    assert set(dataset.labels.tolist()) == set(range(len(dataset.classes)))


def test_the_class_of_a_passage_is_its_article() -> None:
    dataset = article_passages(tokenized=False)
    index = dataset.labels.tolist().index(dataset.classes.index("assert"))
    assert "assert" in str(dataset[index]["Text"]).lower()

"""Texts, their tokenizer and the passages of CPython's help."""

import pickle

import pytest
import torch

from loaderbench.datasets.text import PADDING, TextDataset, Vocabulary, article_passages, passages


def test_a_sample_is_a_text_and_its_class() -> None:
    assert TextDataset(["a cat", "two dogs"], [0, 1])[1] == {"Text": "two dogs", "Class": 1}


def test_a_text_is_tokenised_when_its_sample_is_asked_for() -> None:
    asked: list[str] = []
    dataset = TextDataset(["a cat", "two dogs"], [0, 1], lambda text: torch.tensor(asked.append(text) or [1]))
    _ = dataset[1]
    assert asked == ["two dogs"]


def test_it_is_as_long_as_its_labels() -> None:
    assert len(TextDataset(["a", "b", "c"], [0, 0, 1])) == 3


def test_iterating_it_ends_with_the_last_text() -> None:
    dataset = TextDataset(["a", "b"], [0, 1])
    assert [dataset[index]["Text"] for index in range(-2, 0)] == ["a", "b"]
    with pytest.raises(IndexError):
        _ = dataset[2]


def test_texts_without_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="labels must be one for each text, got 1 labels for 2 texts"):
        TextDataset(["a", "b"], [0])


def test_texts_keep_every_letter() -> None:
    texts = ["", "naïve\n\ttext", "\N{SNAKE}" * 40]
    dataset = pickle.loads(pickle.dumps(TextDataset(texts, [0, 1, 2])))
    assert [dataset[index]["Text"] for index in range(3)] == texts


def test_no_word_has_the_number_of_the_padding() -> None:
    assert PADDING not in Vocabulary(["a b c"])("a b c d")


def test_a_frequent_word_has_a_small_number() -> None:
    assert Vocabulary(["b a a"])("a b").tolist() == [2, 3]


def test_words_never_seen_share_a_number() -> None:
    assert Vocabulary(["a"])("x y").tolist() == [1, 1]


def test_every_number_is_less_than_the_size_of_the_vocabulary() -> None:
    vocabulary = Vocabulary(["a b c"])
    assert int(vocabulary("a b c d").max()) == len(vocabulary) - 1


def test_titles_and_short_lines_are_no_passages() -> None:
    assert passages("Title\n*****\n\nshort\n\none two three four five six seven eight\n") == [
        "one two three four five six seven eight"
    ]


def test_the_articles_give_as_many_passages_as_a_bench_needs() -> None:
    assert 1500 <= len(article_passages()) <= 2500


def test_passages_differ_in_length() -> None:
    dataset = article_passages()
    lengths = {len(dataset[index]["Text"]) for index in range(100)}
    assert len(lengths) > 20


def test_each_class_is_an_article() -> None:
    dataset = article_passages(tokenized=False)
    index = dataset.labels.tolist().index(dataset.classes.index("assert"))
    assert "assert" in str(dataset[index]["Text"]).lower()


def test_every_article_has_a_passage() -> None:
    dataset = article_passages()
    assert set(dataset.labels.tolist()) == set(range(len(dataset.classes)))

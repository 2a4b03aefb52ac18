"""Lists and dicts stored in arrays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Subset

from loaderbench.datasets.recipes.compact import ITSELF, CompactDict, CompactList, collections_of, compact
from loaderbench.datasets.synthetic.pitfalls import PythonList

ELEMENTS = st.one_of(st.text(), st.integers(), st.dictionaries(st.text(), st.floats(allow_nan=False)), st.none())


@settings(max_examples=30)
@given(st.lists(ELEMENTS, max_size=20))
def test_a_compact_list_has_the_elements_of_the_list(elements: list[object]) -> None:
    compacted = CompactList(elements)
    assert list(compacted) == elements
    assert compacted[1:] == elements[1:]
    with pytest.raises(IndexError):
        compacted[len(elements)]


@settings(max_examples=30)
@given(st.dictionaries(st.one_of(st.text(), st.integers()), ELEMENTS, max_size=20))
def test_a_compact_dict_has_the_items_of_the_dict_in_their_order(items: dict[object, object]) -> None:
    compacted = CompactDict(items)
    assert list(compacted.items()) == list(items.items())
    with pytest.raises(KeyError):
        compacted["neither a text of hypothesis's nor a number", 0]


def test_items_with_one_checksum_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loaderbench.datasets.recipes.compact._checksum", lambda _: 7)
    assert dict(CompactDict({"a": 1, "b": 2, "c": 3})) == {"a": 1, "b": 2, "c": 3}


def test_long_lists_become_compact_in_place_and_within_a_subset() -> None:
    dataset = PythonList(samples=2000)
    lengths = [dataset[index] for index in range(100)]
    assert list(collections_of(Subset(dataset, range(100)))) == ["names"]
    part = compact(Subset(dataset, range(100)))
    assert isinstance(dataset.names, CompactList)
    assert [part[index] for index in range(100)] == lengths


@pytest.mark.parametrize(
    ("dataset", "kind"), [([{"path": "a"}] * 2000, CompactList), ({str(n): n for n in range(2000)}, CompactDict)]
)
def test_a_dataset_that_is_a_collection_becomes_compact_itself(dataset: Any, kind: type) -> None:
    assert list(collections_of(dataset)) == [ITSELF]
    assert isinstance(compact(dataset), kind)


def test_a_dataset_without_a_long_list_stays_as_it_is() -> None:
    dataset = PythonList(samples=10)
    assert collections_of(dataset) == {}
    assert compact(dataset) is dataset
    assert isinstance(dataset.names, list)

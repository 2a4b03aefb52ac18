"""Lists stored in arrays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Subset

from loaderbench.datasets.recipes.compact import CompactList, compact_lists
from loaderbench.datasets.synthetic.pitfalls import PythonList

ELEMENTS = st.one_of(st.text(), st.integers(), st.dictionaries(st.text(), st.floats(allow_nan=False)), st.none())


@settings(max_examples=30)
@given(st.lists(ELEMENTS, max_size=20))
def test_a_compact_list_has_the_elements_of_the_list(elements: list[object]) -> None:
    compact = CompactList(elements)
    assert list(compact) == elements
    assert compact[1:] == elements[1:]
    with pytest.raises(IndexError):
        compact[len(elements)]


def test_long_lists_of_a_copy_are_compact_and_the_dataset_is_unchanged() -> None:
    dataset = PythonList(samples=2000)
    clone, names = compact_lists(Subset(dataset, range(100)))
    assert names == ("names",)
    assert isinstance(clone.dataset.names, CompactList)
    assert [clone[index] for index in range(100)] == [dataset[index] for index in range(100)]
    assert isinstance(dataset.names, list)


def test_a_dataset_without_a_long_list_is_returned_as_it_is() -> None:
    dataset = PythonList(samples=10)
    assert compact_lists(dataset) == (dataset, ())

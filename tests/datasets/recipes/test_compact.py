"""Lists kept in arrays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Subset

from loaderbench.datasets.recipes.compact import CompactList, compact_lists
from loaderbench.datasets.synthetic.pitfalls import PythonList

ELEMENTS = st.one_of(st.text(), st.integers(), st.dictionaries(st.text(), st.floats(allow_nan=False)), st.none())


@given(st.lists(ELEMENTS))
def test_it_reads_as_the_list_it_was(elements: list[object]) -> None:
    kept = CompactList(elements)
    assert list(kept) == elements
    assert kept[1:] == elements[1:]
    with pytest.raises(IndexError):
        kept[len(elements)]


def test_long_lists_of_a_dataset_are_kept_in_arrays_and_the_dataset_is_left_alone() -> None:
    dataset = PythonList(samples=2000)
    kept, names = compact_lists(Subset(dataset, range(100)))
    assert names == ("names",)
    assert [kept[index] for index in range(100)] == [dataset[index] for index in range(100)]
    assert isinstance(dataset.names, list)


def test_what_has_no_long_list_is_left_as_it_is() -> None:
    dataset = PythonList(samples=10)
    assert compact_lists(dataset) == (dataset, ())

"""JSON documents with one place changed to anything, and cut off anywhere: what a reader must bear."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def change(document: Document, place: tuple[Any, ...], value: object, *, remove: bool) -> object:
    if not place:
        return value
    changed = copy.deepcopy(document)
    holder: Any = changed
    for key in place[:-1]:
        holder = holder[key]
    if remove:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed


@st.composite
def mutations(draw: st.DrawFn, document: Document) -> str:
    """Draw the text of `document` with one place changed or removed, perhaps cut off."""
    place = draw(st.sampled_from(places(document)))
    text = json.dumps(change(document, place, draw(ANYTHING), remove=draw(st.booleans())))
    return text[: draw(st.sampled_from([len(text), *range(0, len(text), 97)]))]

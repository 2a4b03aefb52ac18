"""A sample or a batch as a tree of containers: its leaves, their bytes, a fingerprint and a description.

Containers are mappings (and what has their methods, as a TensorDict), lists, tuples (named ones too) and dataclasses;
whatever else they hold is a leaf. Unlike ``torch.utils._pytree``, which has the same terms, this looks into every
dataclass and every mapping without their being registered.
"""

import copyreg
import pickle
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, NoneType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

_BUILT_IN = frozenset({NoneType, bool, int, float, complex, str, bytes, bytearray})
_WITH_NAMES = (type, FunctionType, BuiltinFunctionType)
_MOST_DESCRIBED = 8  # children of one container
_PROTOCOL = 4  # of pickle: fixed, so that a fingerprint is the same under every Python


def children(tree: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return the pairs of key, index or field name and child of a container; None if `tree` is a leaf."""
    if _is_mapping(tree):
        pairs: Iterator[tuple[Any, Any]] = iter(tree.items())
        return pairs
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return zip(tree._fields, tree, strict=True)
    if isinstance(tree, (list, tuple)):
        return iter(enumerate(tree))
    if is_dataclass(tree) and not isinstance(tree, type):
        return ((field.name, getattr(tree, field.name)) for field in fields(tree) if hasattr(tree, field.name))
    return None


def _is_mapping(tree: Any) -> bool:
    """Return whether `tree` is a mapping, or a batch of tensors by name that has a mapping's methods."""
    if isinstance(tree, Mapping):
        return True
    methods = ("keys", "items", "batch_size")
    return all(hasattr(type(tree), name) for name in methods) and not isinstance(tree, type)


def tree_leaves(tree: Any) -> Iterator[Any]:
    """Yield the leaves of `tree` from left to right.

    >>> list(tree_leaves({"a": [1, 2], "b": (3,)}))
    [1, 2, 3]
    """
    pairs = children(tree)
    if pairs is None:
        yield tree
    else:
        for _, child in pairs:
            yield from tree_leaves(child)


def tree_tensors(tree: Any) -> list[Tensor]:
    """Return the leaves of `tree` that are tensors."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def rows_of(batch: Any) -> int | None:
    """Return the samples that a batch has: the first dimension of its tensors and arrays, where all have the same one.

    None where they differ, as in a batch of graphs, and where there are none.

    >>> rows_of({"image": torch.zeros(32, 3), "label": torch.zeros(32), "source": "a"})
    32
    """
    shapes = [tuple(leaf.shape) for leaf in tree_leaves(batch) if isinstance(leaf, Tensor | np.ndarray)]
    lengths = {shape[:1] for shape in shapes}
    if len(lengths) != 1:
        return None
    return next(iter(next(iter(lengths))), None)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return `tree` with `function` applied to each of its leaves; containers keep their types.

    >>> tree_map(lambda leaf: 10 * leaf, {"a": [1, 2], "b": (3,)})
    {'a': [10, 20], 'b': (30,)}
    """
    pairs = children(tree)
    if pairs is None:
        return function(tree)
    mapped = {key: tree_map(function, child) for key, child in pairs}
    if isinstance(tree, MutableMapping) or (_is_mapping(tree) and hasattr(tree, "update")):
        clone = copy(tree)
        clone.update(mapped)
        return clone
    if isinstance(tree, Mapping):
        return type(tree)(mapped)  # type: ignore[call-arg]  # as mappings are constructed
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)._make(mapped.values())  # type: ignore[attr-defined]  # some check what their constructor is called with
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped.values())
    clone = copy(tree)  # a dataclass; constructing it anew would run its __post_init__ twice
    for name, child in mapped.items():
        object.__setattr__(clone, name, child)
    return clone


@dataclass(frozen=True, kw_only=True, slots=True)
class LeafCounts:
    """The number of leaves of a sample or a batch by kind, and the bytes of their content.

    Bytes are those of tensors, arrays, strings (as UTF-8) and images; every other object counts as 0 bytes.
    """

    tensors: int = 0  #: of a sparse or nested tensor, those that it consists of: its indices, its values, …
    arrays: int = 0  #: NumPy arrays
    strings: int = 0  #: ``str`` and ``bytes``
    objects: int = 0  #: all others: numbers, None, images, …
    bytes: int = 0

    def __add__(self, other: "LeafCounts") -> "LeafCounts":
        return LeafCounts(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})


def count_leaves(tree: Any) -> LeafCounts:
    """Count the leaves of `tree` and their bytes.

    >>> count_leaves({"Text": torch.tensor([3, 1, 2]), "Class": 0, "Source": "topics"})
    LeafCounts(tensors=1, arrays=0, strings=1, objects=1, bytes=30)
    """
    return sum(map(_count_leaf, tree_leaves(tree)), LeafCounts())


def _count_leaf(leaf: Any) -> LeafCounts:
    if isinstance(leaf, Tensor):
        parts = tensor_parts(leaf)
        return LeafCounts(tensors=len(parts), bytes=sum(part.nbytes for part in parts))
    if isinstance(leaf, np.ndarray):
        return LeafCounts(arrays=1, bytes=leaf.nbytes)
    if isinstance(leaf, str):
        return LeafCounts(strings=1, bytes=len(leaf.encode(errors="surrogatepass")))
    if isinstance(leaf, (bytes, bytearray)):
        return LeafCounts(strings=1, bytes=len(leaf))
    return LeafCounts(objects=1, bytes=len(leaf.tobytes()) if isinstance(leaf, Image.Image) else 0)


def tensor_parts(tensor: Tensor) -> list[Tensor]:
    """Return the dense tensors that `tensor` consists of, as pickle would save them; of a dense one, itself."""
    if _is_dense(tensor):
        return [tensor]
    parts = [part for part in tree_leaves(_reduced(tensor)) if isinstance(part, Tensor)]
    return list({part.data_ptr() or id(part): part for part in parts}.values())


def _is_dense(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested


def describe(sample: Any) -> str:
    """Return one line with the structure, dtypes and shapes of `sample`.

    >>> describe({"Text": torch.tensor([3, 1, 2]), "Class": 0})
    '{Text: int64 (3,), Class: int}'
    """
    if isinstance(sample, Tensor):
        shape = "nested" if sample.is_nested else tuple(sample.shape)
        return f"{str(sample.dtype).removeprefix('torch.')} {shape}"
    if isinstance(sample, np.ndarray):
        return f"{sample.dtype} array {sample.shape}"
    if isinstance(sample, Image.Image):
        return f"{sample.mode} image {sample.width}x{sample.height}"
    pairs = children(sample)
    return type(sample).__name__ if pairs is None else _describe_container(sample, list(pairs))


def _describe_container(container: Any, pairs: list[tuple[Any, Any]]) -> str:
    is_plain_sequence = type(container) in (list, tuple)
    parts = [
        describe(child) if is_plain_sequence else f"{key}: {describe(child)}" for key, child in pairs[:_MOST_DESCRIBED]
    ]
    if len(pairs) > _MOST_DESCRIBED:
        parts.append(f"{len(pairs) - _MOST_DESCRIBED} more")
    inside = ", ".join(parts)
    if _is_mapping(container):
        return f"{{{inside}}}"
    if isinstance(container, list):
        return f"[{inside}]"
    return f"({inside})" if is_plain_sequence else f"{type(container).__name__}({inside})"


def fingerprint(sample: Any) -> bytes:
    """Return a hash of 16 bytes that equal samples share, in every process, and different samples do not.

    Mappings and sets are equal in any order. Objects of other classes are compared by what pickle would save of them.
    Raises TypeError for an object that cannot be pickled.

    >>> fingerprint({"a": torch.zeros(2), "b": 1}) == fingerprint({"b": 1, "a": torch.zeros(2)})
    True
    """
    if type(sample) in _BUILT_IN:
        return _hash(sample, pickle.dumps(sample, _PROTOCOL))
    if isinstance(sample, _WITH_NAMES):
        return _hash(sample, f"{sample.__module__}.{sample.__qualname__}".encode())
    if isinstance(sample, AbstractSet):
        return _hash(sample, *sorted(map(fingerprint, sample)))
    pairs = children(sample)
    if pairs is not None:
        hashes = [fingerprint(key) + fingerprint(child) for key, child in pairs]
        return _hash(sample, *(sorted(hashes) if _is_mapping(sample) else hashes))
    for kind, content in _CONTENTS.items():
        if isinstance(sample, kind):
            return _hash(sample, fingerprint(content(sample)))
    return _hash(sample, fingerprint(_reduced(sample)))


def _hash(sample: Any, *parts: bytes) -> bytes:
    """Hash `parts` with the type of `sample` and their lengths, so that no other division into parts is equal."""
    digest = blake2b(type(sample).__qualname__.encode(), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _tensor_content(tensor: Tensor) -> Any:
    if not _is_dense(tensor) or tensor.is_quantized:
        return _reduced(tensor)
    plain = tensor.detach().as_subclass(Tensor).cpu().resolve_conj().resolve_neg().contiguous()
    return str(plain.dtype), tuple(plain.shape), plain.reshape(-1).view(torch.uint8).numpy().tobytes()


def _array_content(value: Any) -> Any:
    array = np.asarray(value)
    return str(array.dtype), array.shape, array.tolist() if array.dtype.hasobject else array.tobytes()


def _image_content(image: Image.Image) -> Any:
    return image.mode, image.size, image.getpalette(), image.tobytes()


# For each of these types, what its objects are compared by.
_CONTENTS: Mapping[type, Callable[[Any], Any]] = {
    Tensor: _tensor_content,
    np.ndarray: _array_content,
    np.generic: _array_content,
    Image.Image: _image_content,
}


def _reduced(value: Any) -> Any:
    """Return what pickle would save of `value`: its constructor, arguments, state and items.

    The pickle itself is no content to compare: it also depends on which equal parts happen to be one object.
    """
    reduce = copyreg.dispatch_table.get(type(value))
    reduced = reduce(value) if reduce else value.__reduce_ex__(_PROTOCOL)
    if isinstance(reduced, str):
        return reduced
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]


def written(thing: Any) -> str:
    """Return how a function, a class or an object is written in code, as far as it tells.

    >>> written(written), written(3)
    ('written', '3')
    """
    return str(getattr(thing, "__qualname__", "")) or repr(thing)

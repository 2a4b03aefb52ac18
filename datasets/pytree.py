"""What a sample or a batch holds: its leaves, their bytes, a hash of them and a line of text."""

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

_ATOMS = frozenset({NoneType, bool, int, float, complex, str, bytes, bytearray})
_NAMED = (type, FunctionType, BuiltinFunctionType)
_SHOWN = 8  # parts of one container that a description spells out
_PICKLE = 4  # the protocol, fixed so that a hash is the same under every Python


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaves:
    """How many things that are no containers a sample or a batch holds, and the bytes of their content.

    `strings` are ``str`` and ``bytes``; `objects` is the rest: numbers, None, pictures and whatever else.
    Bytes are those of tensors, arrays, strings (as UTF-8) and pictures; whatever else counts as none.
    """

    tensors: int = 0
    arrays: int = 0
    strings: int = 0
    objects: int = 0
    bytes: int = 0

    def __add__(self, other: "Leaves") -> "Leaves":
        """The two together."""
        return Leaves(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


def leaves(thing: Any) -> Leaves:
    """The leaves of mappings, lists, tuples and dataclasses, however deep.

    >>> leaves({"Text": torch.tensor([3, 1, 2]), "Class": 0, "Source": "topics"})
    Leaves(tensors=1, arrays=0, strings=1, objects=1, bytes=30)
    """
    parts = children(thing)
    if parts is not None:
        return sum((leaves(part) for _, part in parts), Leaves())
    if isinstance(thing, Tensor):
        return Leaves(tensors=1, bytes=_tensor_bytes(thing))
    if isinstance(thing, np.ndarray):
        return Leaves(arrays=1, bytes=thing.nbytes)
    if isinstance(thing, str):
        return Leaves(strings=1, bytes=len(thing.encode(errors="surrogatepass")))
    if isinstance(thing, (bytes, bytearray)):
        return Leaves(strings=1, bytes=len(thing))
    return Leaves(objects=1, bytes=len(thing.tobytes()) if isinstance(thing, Image.Image) else 0)


def children(thing: Any) -> Iterator[tuple[Any, Any]] | None:
    """The parts of a mapping, list, tuple or dataclass with their keys, indices or names; None for a leaf."""
    if isinstance(thing, Mapping):
        return iter(thing.items())
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return zip(thing._fields, thing, strict=True)
    if isinstance(thing, (list, tuple)):
        return iter(enumerate(thing))
    if is_dataclass(thing) and not isinstance(thing, type):
        return ((field.name, getattr(thing, field.name)) for field in fields(thing))
    return None


def rebuilt(thing: Any, change: Callable[[Any], Any]) -> Any:
    """`thing` with `change` made to each of its leaves: mappings, lists, tuples and dataclasses keep their kind.

    >>> rebuilt({"a": [1, 2], "b": (3,)}, lambda leaf: 10 * leaf)
    {'a': [10, 20], 'b': (30,)}
    """
    parts = children(thing)
    if parts is None:
        return change(thing)
    made = {key: rebuilt(part, change) for key, part in parts}
    if isinstance(thing, MutableMapping):
        clone = copy(thing)
        clone.update(made)
        return clone
    if isinstance(thing, Mapping):
        return type(thing)(made)  # type: ignore[call-arg]  # as mappings are made
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return type(thing)(*made.values())
    if isinstance(thing, (list, tuple)):
        return type(thing)(made.values())
    clone = copy(thing)  # not made anew: its __post_init__ has done what it does
    for name, part in made.items():
        object.__setattr__(clone, name, part)
    return clone


def fingerprint(sample: Any) -> bytes:
    """16 bytes that are the same for the same content, in every process: what a sample is told apart by.

    Dicts and sets count as equal in any order. Objects of other classes go by what pickle would save of them;
    raises TypeError for those it cannot.

    >>> fingerprint({"a": torch.zeros(2), "b": 1}) == fingerprint({"b": 1, "a": torch.zeros(2)})
    True
    """
    if type(sample) in _ATOMS:
        return _digest(sample, pickle.dumps(sample, _PICKLE))
    if isinstance(sample, _NAMED):
        return _digest(sample, f"{sample.__module__}.{sample.__qualname__}".encode())
    if isinstance(sample, AbstractSet):
        return _digest(sample, *sorted(map(fingerprint, sample)))
    parts = children(sample)
    if parts is not None:
        hashed = [fingerprint(key) + fingerprint(part) for key, part in parts]
        return _digest(sample, *(sorted(hashed) if isinstance(sample, Mapping) else hashed))
    for kind, content in _CONTENTS.items():
        if isinstance(sample, kind):
            return _digest(sample, fingerprint(content(sample)))
    return _digest(sample, fingerprint(_saved(sample)))


def describe(sample: Any) -> str:
    """What `sample` is made of, in a line.

    >>> describe({"Text": torch.tensor([3, 1, 2]), "Class": 0})
    '{Text: int64 (3,), Class: int}'
    """
    if isinstance(sample, Tensor):
        return f"{str(sample.dtype).removeprefix('torch.')} {_shape(sample)}"
    if isinstance(sample, np.ndarray):
        return f"{sample.dtype} array {sample.shape}"
    if isinstance(sample, Image.Image):
        return f"{sample.mode} picture {sample.width}x{sample.height}"
    parts = children(sample)
    return type(sample).__name__ if parts is None else _described(sample, list(parts))


def _described(container: Any, parts: list[tuple[Any, Any]]) -> str:
    listed = type(container) in (list, tuple)
    told = [describe(part) if listed else f"{key}: {describe(part)}" for key, part in parts[:_SHOWN]]
    more = [f"{len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
    inside = ", ".join(told + more)
    if isinstance(container, Mapping):
        return f"{{{inside}}}"
    if isinstance(container, list):
        return f"[{inside}]"
    return f"({inside})" if listed else f"{type(container).__name__}({inside})"


def _shape(tensor: Tensor) -> str:
    return "nested" if tensor.is_nested else str(tuple(tensor.shape))


def _tensor_bytes(tensor: Tensor) -> int:
    # A sparse tensor has no bytes of its own, but is saved as those it is made of: indices and values.
    return tensor.nbytes if tensor.layout is torch.strided else leaves(_saved(tensor)).bytes


def _digest(sample: Any, *parts: bytes) -> bytes:
    """A hash of `parts` that no other type, and no other division into parts, has."""
    hashed = blake2b(type(sample).__qualname__.encode(), digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little"))
        hashed.update(part)
    return hashed.digest()


def _tensor_content(tensor: Tensor) -> Any:
    if tensor.layout is not torch.strided or tensor.is_nested or tensor.is_quantized:
        return _saved(tensor)
    plain = tensor.detach().as_subclass(Tensor).cpu().resolve_conj().resolve_neg().contiguous()
    return str(plain.dtype), tuple(plain.shape), plain.reshape(-1).view(torch.uint8).numpy().tobytes()


def _array_content(value: Any) -> Any:
    array = np.asarray(value)
    objects = array.dtype.hasobject
    return str(array.dtype), array.shape, array.tolist() if objects else array.tobytes()


def _picture_content(image: Image.Image) -> Any:
    return image.mode, image.size, image.getpalette(), image.tobytes()


# What an object of a class is known by, in parts that have a fingerprint themselves.
_CONTENTS: Mapping[type, Callable[[Any], Any]] = {
    Tensor: _tensor_content,
    np.ndarray: _array_content,
    np.generic: _array_content,
    Image.Image: _picture_content,
}


def _saved(thing: Any) -> Any:
    """What pickle would save of `thing`: its maker, arguments, state and elements.

    Not the pickle itself, which also depends on which equal parts happen to be one object.
    """
    reduce = copyreg.dispatch_table.get(type(thing))
    saved = reduce(thing) if reduce else thing.__reduce_ex__(_PICKLE)
    if isinstance(saved, str):
        return saved
    return [list(part) if isinstance(part, Iterator) else part for part in saved]

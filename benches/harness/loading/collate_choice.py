"""The collate function that a name stands for: one of ours, a function of the user's, or an object of a class."""

from collections.abc import Callable
from functools import cache
from typing import Any

from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.datasets.collate import COLLATE_FNS


@cache
def collate_fn(name: str) -> Callable[[list[Any]], Any]:
    """Return the collate function called `name`: one of ours, or ``module:attribute``."""
    if name in COLLATE_FNS:
        return COLLATE_FNS[name]
    named = NamedObject(option="--collate-fn", target=name)
    if ":" not in name:
        raise named.refuse(f"not one of {', '.join(COLLATE_FNS)}, nor module:attribute")
    function: Callable[[list[Any]], Any] = named.load()
    if not callable(function):
        raise named.refuse(f"it is a {type(function).__name__}, which cannot be called")
    return _made_collator(function, named) if _makes_collators(function) else function


def _makes_collators(function: Any) -> bool:
    """Return whether it is a class whose objects are called with the samples, rather than the class itself."""
    return isinstance(function, type) and "__call__" in dir(function)  # not that of its own class


def _made_collator(collator_class: Any, named: NamedObject) -> Callable[[list[Any]], Any]:
    try:
        collator: Callable[[list[Any]], Any] = collator_class()
    except Exception as error:
        made = f"{named.target.rpartition(':')[0]}:collate = {collator_class.__name__}(…)"
        why = f"it is a class, and cannot be made without arguments ({type(error).__name__}: {error})"
        raise named.refuse(f"{why}: name an object of it, such as {made}") from error
    return collator

"""What the values of options are read as: times, sizes, shares, numbers, lists."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from loaderbench.reports.units import parse_size, parse_time, parse_whole

T = TypeVar("T")


def time(text: str) -> float:
    """Return a time such as ``20ms`` or ``5m`` in seconds, more than 0."""
    return _more_than_0(checked(parse_time)(text), text)


def size(text: str) -> int:
    """Return a size such as ``150kB`` in bytes, more than 0."""
    return _more_than_0(checked(parse_size)(text), text)


def share(text: str) -> float:
    """Return a share such as ``3%`` or ``0.03``, between 0 and 1."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"takes a share such as 3% or 0.03, got {text!r}")
    return value


def whole(least: int = 0) -> Callable[[str], int]:
    """Return what reads a whole number of at least `least`."""
    return checked(partial(parse_whole, least=least))


def number(least: float) -> Callable[[str], float]:
    """Return what reads a number of at least `least`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"takes a number >= {least:g}, got {text!r}")
        return value

    return read


def comma_list(read: Callable[[str], T], option: str = "") -> Callable[[str], tuple[T, ...]]:
    """Return what reads a list of different values with commas, each by `read`."""
    read_one = checked(read, option)
    return lambda text: tuple(dict.fromkeys(read_one(word.strip()) for word in text.split(",")))


def checked(read: Callable[[str], T], option: str = "") -> Callable[[str], T]:
    """Return `read` with its ValueError as argparse shows it: after the option's name, which it need not repeat."""

    def reading(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{option} ")) from None

    return reading


def _more_than_0(value: T, text: str) -> T:
    if not value > 0:  # type: ignore[operator]  # a number
        raise argparse.ArgumentTypeError(f"must be more than 0, got {text!r}")
    return value

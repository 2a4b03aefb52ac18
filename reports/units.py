"""Numbers in text (three digits that matter, an SI prefix, a unit, thin spaces), and times and sizes read from text."""

import math
import re
from collections.abc import Mapping

THIN = "\u202f"  # narrow no-break space: groups thousands, and binds a number to its unit
MINUS = "\u2212"
PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
MISSING = "–"
SIGNIFICANT = 3  # digits
UNGROUPED = 1_000_000  # below this a rate reads better in full (1 540/s) than with a prefix (1.54 k/s)


def digits(value: float) -> str:
    """Write `value` in plain decimals with at least `SIGNIFICANT` digits, thousands grouped.

    >>> digits(1540.4).replace(THIN, " "), digits(0.01234), digits(9.996), digits(2), digits(0)
    ('1 540', '0.0123', '10.0', '2', '0')
    """
    if value == int(value) and abs(value) < 10**SIGNIFICANT:
        return str(int(value)).replace("-", MINUS)
    magnitude = math.floor(math.log10(float(f"{abs(value):.{SIGNIFICANT - 1}e}")))
    decimals = max(0, SIGNIFICANT - 1 - magnitude)
    return f"{value:,.{decimals}f}".replace(",", THIN).replace("-", MINUS)


def quantity(value: float | None, unit: str) -> str:
    """Write an SI quantity; missing is a dash, never 0.

    >>> [quantity(v, "s").replace(THIN, " ") for v in (0, 1.2e-7, 0.0031, 4.2, 512)]
    ['0 s', '120 ns', '3.10 ms', '4.20 s', '512 s']
    >>> [quantity(v, "bytes").replace(THIN, " ") for v in (31_337, 4.2e9)]
    ['31.3 kB', '4.20 GB']
    >>> [quantity(v, "samples/s").replace(THIN, " ") for v in (1540, 2.5e6)]
    ['1 540 samples/s', '2.50 M samples/s']
    >>> quantity(0.034, "share").replace(THIN, " "), quantity(1.5, "ratio"), quantity(None, "s")
    ('3.4 %', '1.50×', '–')
    >>> quantity(1234567.0, "index")
    '1234567'
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if unit == "share":
        return percent(value)
    if unit == "ratio":
        return f"{value:.2f}×"
    if unit == "index":
        return f"{value:.0f}"
    if unit in {"s", "bytes", "bytes/s"}:
        return prefixed(value, unit.replace("bytes", "B"))
    return rate(value, unit)


def prefixed(value: float, unit: str) -> str:
    """Write `value` with the prefix that leaves one to three digits before the point.

    >>> prefixed(999_999, "B").replace(THIN, " "), prefixed(-0.002, "s").replace(THIN, " ")
    ('1.00 MB', '−2 ms')
    """
    exponent = _thousands(value)
    if unit == "s":
        exponent = min(exponent, 0)
    return f"{digits(value / 10.0**exponent)}{THIN}{PREFIXES[exponent]}{unit}"


def rate(value: float, unit: str) -> str:
    """Write a rate or a count in full up to a million, with a prefix above.

    >>> rate(410.2, "images/s").replace(THIN, " "), rate(7, "").replace(THIN, " ")
    ('410 images/s', '7')
    """
    exponent = _thousands(value) if abs(value) >= UNGROUPED else 0
    scaled = digits(value / 10.0**exponent)
    return THIN.join(part for part in (scaled, PREFIXES[exponent], unit) if part)


def percent(share: float) -> str:
    """Write a share as a percentage, one decimal below ten.

    >>> [percent(share).replace(THIN, " ") for share in (0, 0.0004, 0.034, 0.63, -0.011, 12.5)]
    ['0 %', '<0.1 %', '3.4 %', '63 %', '−1.1 %', '1 250 %']
    """
    hundredths = 100 * share
    if 0 < abs(hundredths) < 0.05:  # noqa: PLR2004 - would round to zero
        return f"{'<' if share > 0 else '>' + MINUS}0.1{THIN}%"
    decimals = 1 if 0 < abs(hundredths) < 9.95 else 0  # noqa: PLR2004 - from ten on, whole
    return f"{hundredths:,.{decimals}f}".replace(",", THIN).replace("-", MINUS) + f"{THIN}%"


def signed_percent(change: float) -> str:
    """Write a change as a percentage, with its sign where it does not round to nothing.

    >>> [signed_percent(change).replace(THIN, " ") for change in (0.034, -0.011, 0.0, 0.0004)]
    ['+3.4 %', '−1.1 %', '0 %', '<0.1 %']
    """
    text = percent(change)
    return f"+{text}" if change > 0 and text[0].isdigit() else text


def interval(low: float, high: float, unit: str) -> str:
    """Write the two ends of an interval, the unit once.

    >>> interval(390.2, 406.1, "samples/s").replace(THIN, " "), interval(0.971, 1.02, "ratio")
    ('390 to 406 samples/s', '0.97× to 1.02×')
    """
    first, last = quantity(low, unit), quantity(high, unit)
    if first.endswith(THIN + unit):
        first = first.removesuffix(THIN + unit)
    return f"{first} to {last}"


def count(number: int, noun: str) -> str:
    """Write a number of things, the noun in step with it.

    >>> count(1, "case"), count(10_000, "case").replace(THIN, " ")
    ('1 case', '10 000 cases')
    """
    return f"{number:,}".replace(",", THIN) + f" {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write a time as one waits for it, to the second, minute (below ten: its tenth) or tenth of an hour.

    >>> [duration(seconds).replace(THIN, " ") for seconds in (42.4, 120, 207, 600, 4e4)]
    ['42 s', '2 min', '3.5 min', '10 min', '11.1 h']
    """
    if not math.isfinite(seconds):
        return MISSING
    minute, hour = 60.0, 3600.0
    if abs(seconds) < 1.5 * minute:
        text, unit = f"{seconds:.0f}", "s"
    elif abs(seconds) < 1.5 * hour:
        decimals = 1 if abs(seconds) < 10 * minute else 0
        text, unit = f"{seconds / minute:.{decimals}f}".removesuffix(".0"), "min"
    else:
        text, unit = f"{seconds / hour:.1f}", "h"
    return f"{text}{THIN}{unit}".replace("-", MINUS)


def _thousands(value: float) -> int:
    """Return the exponent, a multiple of three, of the prefix `value` wants."""
    if value == 0:
        return 0
    exponent = 3 * math.floor(math.log10(float(f"{abs(value):.2e}")) / 3)
    return min(max(exponent, min(PREFIXES)), max(PREFIXES))


_TIMES = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "": 1}
_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*([A-Za-zµ]*)\s*")


def parse_time(text: str) -> float:
    """Return a time in seconds; raises ValueError. A bare number is of seconds.

    >>> [parse_time(text) for text in ("20ms", "90s", "5m", "1h", "0.2")]
    [0.02, 90.0, 300.0, 3600.0, 0.2]
    """
    return _scaled(text, _TIMES, "a time such as 20ms, 90s, 5m or 1h")


def parse_size(text: str) -> int:
    """Return a size in bytes; raises ValueError. A bare number is of bytes; kB is 1000 bytes, KiB 1024.

    >>> [parse_size(text) for text in ("150kB", "8GB", "4096", "64MiB")]
    [150000, 8000000000, 4096, 67108864]
    """
    return round(_scaled(text, _SIZES, "a size such as 150kB or 8GB"))


def parse_whole(text: str, least: int = 0) -> int:
    """Return a whole number of at least `least`; raises ValueError.

    >>> parse_whole("12", 1)
    12
    """
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"takes a whole number >= {least}, got {text!r}")
    return int(text)


def _scaled(text: str, scales: Mapping[str, float], wanted: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in scales:
        raise ValueError(f"expected {wanted}, got {text!r}")
    return float(match[1]) * scales[match[2]]

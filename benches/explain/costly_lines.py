"""The lines of a dataset's code that a sample's time goes to, sampled every millisecond."""

import linecache
import re
import signal
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from time import perf_counter
from types import FrameType
from typing import Any

from loaderbench.reports.explain.explain_record import Observation
from loaderbench.reports.units import percent

EVERY_S = 1e-3
FEWEST_INTERRUPTS = 30  # with fewer no share is stated
NOTABLE = 0.2  # of a sample's time
MOST_LINES = 3
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
INSTALLED = "/site-packages/"
OURS = str(__file__).removesuffix("explain/costly_lines.py")

# What a line contains that is known to be slow for each sample, and what is faster.
KNOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"torch\.(as_)?tensor\("),
        "torch.tensor of a list converts element by element: keep the data as one tensor or array, and index that",
    ),
    (
        re.compile(r"\.i?loc\["),
        "pandas makes a Series for each row: take the columns out once, as arrays (frame.to_numpy()), and index those",
    ),
    (
        re.compile(r"np\.(as)?array\("),
        "keep the data as one array and index that: of a list it converts element by element; of an image, it decodes",
    ),
    (
        re.compile(r"(Image\.open|imread|decode_(jpeg|png|image))\("),
        "decode at a smaller size, or store images decoded",
    ),
    (re.compile(r"(json\.loads?|yaml\.\w*load|pickle\.loads?)\("), "parse once, and keep what was parsed in arrays"),
    (re.compile(r"\bopen\("), "keep the file open in each worker, from its first sample on, or read larger files"),
)


def costly_lines(dataset: Any, most_s: float) -> list[Observation]:
    """Return the lines that take most of the time of reading samples, in `most_s` seconds of it; for a main thread.

    Time is put under the innermost line that is neither Python's, nor an installed library's, nor ours.
    """
    lines: Counter[tuple[str, int]] = Counter()

    def count_line(_: int, frame: FrameType | None) -> None:
        lines[_line_of(frame)] += 1

    previous = signal.signal(signal.SIGALRM, count_line)
    signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)
    try:
        _read(dataset, most_s)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return list(_observations(lines))


def _read(dataset: Any, most_s: float) -> None:
    until = perf_counter() + most_s
    samples: Iterator[Any] = (
        (dataset[index] for index in range(len(dataset))) if hasattr(type(dataset), "__getitem__") else iter(dataset)
    )
    for _ in samples:
        if perf_counter() > until:
            return


def _line_of(frame: FrameType | None) -> tuple[str, int]:
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((*LIBRARIES, OURS, "<")) and INSTALLED not in file:
            return file, frame.f_lineno
        frame = frame.f_back
    return "", 0


def _observations(lines: "Counter[tuple[str, int]]") -> Iterator[Observation]:
    interrupts = lines.total()
    if interrupts < FEWEST_INTERRUPTS:
        return
    for (file, number), count in lines.most_common(MOST_LINES):
        if not file or count < NOTABLE * interrupts:
            continue
        text = linecache.getline(file, number).strip()
        if advice := advice_on(text):
            yield Observation(
                what="a line that costs",
                evidence=f"{file}:{number} takes {percent(count / interrupts)} of a sample's time: {text}",
                change=advice,
            )


def advice_on(line: str, known: Sequence[tuple[re.Pattern[str], str]] = KNOWN) -> str:
    """Return what is faster than a line of code that is known to be slow for each sample; "" where none is known."""
    return next((advice for pattern, advice in known if pattern.search(line)), "")

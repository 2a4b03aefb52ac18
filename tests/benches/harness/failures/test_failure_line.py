"""An error in one line: its type, its words, the sample, the worker, the user's line, what to do."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from loaderbench.benches.harness.failures.failure_line import (
    CaseFailedError,
    Failure,
    failure_of,
    innermost_last,
    is_user_code,
    reason,
    user_place,
)

TORCH = str(Path(torch.__file__).parent / "utils" / "data" / "_utils" / "worker.py")
IN_A_WORKER = f"""\
Caught ImageError in DataLoader worker process 1.
Original Traceback (most recent call last):
  File "{TORCH}", line 363, in _worker_loop
    data = fetcher.fetch(index)
           ^^^^^^^^^^^^^^^^^^^^
  File "/home/me/decoded.py", line 27, in __getitem__
    raise ImageError(
decoded.ImageError: decoder 2.1: error: (-5: bad argument) in function 'shrink'
> no way of calling it fits:
>  - picture is missing: /frames/000700.png
>  - a buffer was expected for the argument 'picture'
"""


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_error_is_described_by_its_type_and_message() -> None:
    assert reason(KeyError("Class")) == "KeyError: 'Class'"


def test_an_error_without_a_message_is_described_by_its_type() -> None:
    assert reason(NotImplementedError()) == "NotImplementedError"


def test_an_error_says_where_in_the_user_s_code_it_was_raised() -> None:
    here = Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__)
    line = raised.__code__.co_firstlineno + 2
    assert reason(raised(OSError("gone"))) == f"OSError: gone ({here}:{line})"


def test_a_class_of_a_function_is_named_and_what_moves_a_cursor_is_left_out() -> None:
    class LocalError(Exception):
        """An error that no pickle takes."""

    assert reason(raised(LocalError("\x1b[31mred\x1b[0m\x07"))).startswith("LocalError: red (")


def test_an_error_of_several_lines_from_a_worker_keeps_type_cause_and_path() -> None:
    assert reason(RuntimeError(IN_A_WORKER)) == (
        "ImageError: decoder 2.1: error: (-5: bad argument) in function 'shrink' > no way of calling it fits: > - "
        "picture is missing: /frames/000700.png > - a buffer was expected for the argument 'picture' "
        "(in worker 1, /home/me/decoded.py:27)"
    )


def test_a_key_error_from_a_worker_is_not_read_from_its_representation() -> None:
    text = (
        "Caught KeyError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\nKeyError: 'id'\n"
    )
    assert reason(RuntimeError(text)) == "KeyError: 'id' (in worker 0)"


def test_the_last_of_several_chained_errors_counts() -> None:
    error = raised(ValueError("no sample"))
    error.__cause__ = raised(OSError("no file"))
    assert reason(error).startswith("ValueError: no sample (")


def test_a_long_message_is_cut_and_what_follows_is_kept() -> None:
    line = Failure(error="ValueError", message="x" * 9999, samples="sample 7", place="mine.py:3").line
    assert len(line) == 500
    assert line.endswith("… (sample 7, mine.py:3)")


def test_what_is_known_stands_in_one_order() -> None:
    failure = Failure(
        error="TypeError", message="odd", detail="field label is a str", samples="sample 4", worker="2", place="a.py:1"
    )
    assert failure.line == "TypeError: odd: field label is a str (sample 4, in worker 2, a.py:1)"


def test_the_reason_of_a_failed_case_is_its_message() -> None:
    assert reason(raised(CaseFailedError("ValueError: x (sample 3)"))) == "ValueError: x (sample 3)"


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("stack expects each tensor to be equal size, but got [3] at entry 0 and [2] at entry 1", "pads them"),
        ("Trying to resize storage that is not resizable", "pads them"),
        ("Could not infer dtype of NoneType", "return a value, or give a --collate-fn"),
        ("expected Tensor as element 4, but got NoneType: field label is None (sample 9)", "return a value, or give"),
        ("[Errno 24] Too many open files: '3.bin'", "ulimit -n"),
        ("unable to open shared memory object </torch_1> in read-write mode", "--shm-size"),
        ("cannot pickle '_io.BufferedReader' object", "--start-method fork"),
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "if memory was short"),
    ],
)
def test_a_known_error_says_what_to_do(message: str, advice: str) -> None:
    assert advice in reason(RuntimeError(message)).partition("; ")[2]


def test_an_unknown_error_comes_without_advice() -> None:
    assert ";" not in reason(RuntimeError("odd"))


def test_the_innermost_line_of_the_user_counts_not_that_of_a_library() -> None:
    frames = [("/home/me/a.py", 1), ("/home/me/b.py", 2), ("/venv/lib/site-packages/PIL/Image.py", 3), (TORCH, 4)]
    assert user_place(frames) == "/home/me/b.py:2"


def test_where_the_user_s_dataset_is_a_library_s_its_line_counts() -> None:
    frames = [(TORCH, 1), ("/venv/lib/site-packages/vision/datasets.py", 2), (TORCH, 3)]
    assert user_place(frames) == "/venv/lib/site-packages/vision/datasets.py:2"


def test_the_standard_library_torch_and_the_benches_are_no_one_s_code() -> None:
    own = sys.modules[Failure.__module__].__file__
    assert not [path for path in (subprocess.__file__, TORCH, own, "<string>") if is_user_code(str(path))]
    assert user_place([(TORCH, 1), (subprocess.__file__, 2), ("<frozen runpy>", 3)]) == ""


def test_a_dump_of_faulthandler_begins_with_the_innermost() -> None:
    dump = f"""Current thread 0x1 (most recent call first):
  File "/home/me/data.py", line 12 in __getitem__
  File "{TORCH}", line 54 in fetch
"""
    assert user_place(innermost_last(dump)) == "/home/me/data.py:12"


def test_an_odd_text_is_its_own_message() -> None:
    assert failure_of("what is\nthis?") == Failure(error="Error", message="what is this?")

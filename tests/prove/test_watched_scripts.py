"""Whether a watch is right about a script whose waits are known, judged on made-up records."""

from made_up_watches import epoch, loader, steady, watched
from msgspec.structs import replace

from prove.topics.watched_scripts import SCRIPTS, error_of, is_right

STEADY = SCRIPTS["40% of each step"]
SECOND = SCRIPTS["two loaders, the second one slow"]


def test_a_right_verdict_names_outcome_reason_and_loader() -> None:
    assert is_right(watched(steady(0.4)), STEADY, first_line=31)
    assert not is_right(watched(steady(0.4)), STEADY, first_line=30)
    assert not is_right(watched(steady(0.0)), STEADY, first_line=31)
    assert not is_right(watched(), STEADY, first_line=31)


def test_of_two_loaders_the_slow_one_must_be_named() -> None:
    fast, slow = steady(0.0), replace(steady(0.4), name="train.py:32")
    assert is_right(watched(fast, slow), SECOND, first_line=31)
    assert not is_right(watched(replace(fast, name="train.py:32"), replace(slow, name="train.py:31")), SECOND, 31)


def test_a_straggler_is_told_from_a_slow_loader() -> None:
    waits = [0.1 if step % 20 == 10 else 0.0 for step in range(400)]
    known = SCRIPTS["a straggler in 20 batches"]
    assert is_right(watched(loader(epoch(waits, [0.01] * 400))), known, first_line=31)
    assert not is_right(watched(steady(1 / 3)), known, first_line=31)


def test_the_error_is_in_points_of_the_share() -> None:
    assert abs(error_of(watched(steady(0.41)), STEADY) - 0.01) < 1e-9
    assert error_of(watched(), STEADY) != error_of(watched(), STEADY)

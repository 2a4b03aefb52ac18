"""What cannot be read on the command line is refused in one line, before anything runs."""

from collections.abc import Callable

import pytest

Suite = Callable[..., pytest.RunResult]
BENCHES = ("--pyargs", "loaderbench.benches")

REFUSED = {
    "--num-workers two": "--num-workers takes whole numbers >= 0, got 'two'",
    "--num-workers=-1": "--num-workers takes whole numbers >= 0, got '-1'",
    "--num-workers 0,,2": "--num-workers takes whole numbers >= 0, got '0,,2'",
    "--batch-size 0": "--batch-size takes whole numbers >= 1 or none, got '0'",
    "--drop-last maybe": "--drop-last takes on or off, got 'maybe'",
    "--sampler shuffled": "--sampler shuffled: it must be named as module:attribute",
    "--sampler math:pi": "--sampler math:pi: it is a float: neither iterable nor a function of the dataset",
    "--batch-sampler nowhere:fn": "--batch-sampler nowhere:fn: no module 'nowhere'. Run from its folder, or install it",
    "--worker-init-fn math:pi": "--worker-init-fn math:pi: it is a float, which cannot be called",
    "--prefetch-factor 0": "--prefetch-factor takes whole numbers >= 1, got '0'",
    "--pin-memory yes": "--pin-memory takes on or off, got 'yes'",
    "--persistent-workers 1": "--persistent-workers takes on or off, got '1'",
    "--start-method thread": "--start-method takes *, got 'thread'",
    "--sampling best": "--sampling takes sequential, shuffle, weighted, batches, blocks, got 'best'",
    "--fetch all": "--fetch takes getitem, getitems, got 'all'",
    "--device abacus": "--device abacus: this machine has cpu*",
    "--collate-fn zip": "--collate-fn zip: not one of default, pad, pack, stack_into, nor module:attribute",
    "--collate-fn math:pi": "--collate-fn math:pi: it is a float, which cannot be called",
    "--collate-fn nowhere:fn": "--collate-fn nowhere:fn: no module 'nowhere'. Run from its folder, or install it",
    "--model nowhere:Net": "--model nowhere:Net: no module 'nowhere'. Run from its folder, or install it",
    "--model math:sqrt --model-args [4]": "--model math:sqrt: it is a float, not a torch.nn.Module",
    "--model torch.nn:Linear --model-args {": "--model-args must be JSON, got '{': *",
    "--loss worst": "--loss worst: no module 'worst'. Run from its folder, or install it",
    "--rounds 0": "--rounds takes a whole number >= 1, got '0'",
    "--round-time=-1": "--round-time expected a time such as 20ms, 90s, 5m or 1h, got '-1'",
    "--loader-timeout=-1": "--loader-timeout expected a time such as 20ms, 90s, 5m or 1h, got '-1'",
    "--case-time 0": "--case-time must be > 0, got 0.0",
    "--quick --full": "--quick and --full name two sets of cases: give one",
    "--resume nowhere": "--resume nowhere: no run.json and no run.jsonl in nowhere",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_a_bad_value_is_one_line_that_names_the_option(suite: Suite, arguments: str) -> None:
    result = suite(*BENCHES, *arguments.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.errlines + result.outlines if line.strip().startswith(("ERROR", "E "))]
    assert len(errors) == 1
    result.stderr.fnmatch_lines([f"ERROR: {REFUSED[arguments]}".replace("[", "[[]")])


def test_help_lists_the_options_in_a_group_of_their_own(suite: Suite) -> None:
    result = suite("--help")
    result.stdout.fnmatch_lines(["loaderbench: what to load, and how:", "*--num-workers=LIST*", "*--resume=DIR*"])


def test_quick_is_the_default(names: Callable[..., list[str]]) -> None:
    assert names(*BENCHES, "-k", "bench_epoch") == names(*BENCHES, "-k", "bench_epoch", "--quick")


def test_full_asks_more_than_quick(names: Callable[..., list[str]]) -> None:
    assert len(names(*BENCHES, "--full")) > len(names(*BENCHES, "--quick"))

"""The gate's measuring: asks the sequential test which cases are open, measures a block of them, and adds it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loaderbench.benches.gate.block_record import Record
from loaderbench.benches.gate.blocks import BlockRunner
from loaderbench.reports.gate.paired_effects import effects
from loaderbench.reports.gate.sequential import SequentialTest


def _ignore(_test: SequentialTest) -> None:
    """Report nothing of how far a test is."""


class BlocksInterruptedError(Exception):
    """The user interrupted the measuring: `blocks` were measured before."""

    def __init__(self, blocks: list[Record]) -> None:
        super().__init__(f"interrupted after {len(blocks)} blocks")
        self.blocks = blocks


def measure(
    test: SequentialTest, runner: BlockRunner, on_block: Callable[[SequentialTest], None] = _ignore
) -> list[Record]:
    """Measure until everything is settled, or the budget is spent, and return the blocks.

    `on_block` is called after each. Raises BlocksInterruptedError on Ctrl-C once there is a block to keep, and
    RefusedError where nothing can be compared.
    """
    blocks: list[Record] = []
    try:
        while not test.is_over:
            block = runner.measure(test.open_cases)
            test.add(effects([block]), block["seconds"])
            blocks.append(block)
            on_block(test)
    except KeyboardInterrupt:
        if not blocks:
            raise
        raise BlocksInterruptedError(blocks) from None
    return blocks


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that worktrees and processes are removed and what was measured is kept."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""The gate's measuring: asks the sequential test which cases are open, measures a block of them, and adds it."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from loaderbench.benches.gate.block_record import Record
from loaderbench.benches.gate.blocks import BlockRequest, BlockRunner
from loaderbench.benches.gate.fork_server import BlockCutError
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.system.interruption import Interruption, late_ctrl_c
from loaderbench.reports.gate.paired_effects import effects
from loaderbench.reports.gate.rounds_per_block import cost_of
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.units import duration


def measure(
    test: SequentialTest,
    runner: BlockRunner,
    interruption: Interruption,
    on_block: Callable[[SequentialTest], None] = lambda _: None,
) -> list[Record]:
    """Measure until everything is settled, the budget is spent, or the user interrupts it, and return the blocks.

    `on_block` is called after each. The test is given all the time that has passed, not only that within blocks; and
    why, where a revision's process does not start any more. A second Ctrl-C raises nothing. Raises KeyboardInterrupt
    and RefusedError where there is no block to keep.
    """
    blocks: list[Record] = []
    ended = time.monotonic()
    try:
        while not test.is_over:
            request = BlockRequest(
                cases=test.open_cases,
                first_pairs=test.plan.first_pairs,
                pairs=test.pairs or {},
                has_all_controls=test.needs_all_controls,
            )
            block = runner.measure(request, within_s=test.left_s)
            of_block = effects([block])
            with late_ctrl_c():  # a block is added to both, or to neither
                began, ended = ended, time.monotonic()
                seconds = ended - began
                is_renewed = not blocks or block["servers"] != blocks[-1]["servers"]
                test.add(
                    of_block,
                    seconds,
                    cost_of(block, seconds) if runner.is_allocated else None,
                    renewed_s=max(0.0, seconds - block["seconds"]) if is_renewed else 0.0,
                )
                blocks.append(block)
            on_block(test)
            interruption.check()
    except KeyboardInterrupt:
        interruption.happened = True
        if not blocks:
            raise
    except BlockCutError:
        if not blocks:
            short = f"the budget of {duration(test.plan.budget_s)} is too short for one block"
            raise RefusedError(f"{short}: raise it, or measure fewer cases") from None
    except RefusedError as error:
        if not blocks:
            raise
        test.stopped = str(error)
    finally:
        interruption.raise_no_more()
    return blocks


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that worktrees and processes are removed and what was measured is kept.

    So too where Ctrl-C is ignored, as in a job that a shell's script runs in the background.
    """

    def interrupt(_number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""Which passes `whatif` measures: those that costs are computed of, and those that predictions are compared with."""

from collections.abc import Sequence

from loaderbench.reports.whatif.pass_schedule import FEWEST_BATCHES, LoaderPass

APART = 4  # the ratio of two batch sizes at which costs are measured


def cost_sizes(batch_sizes: Sequence[int], samples: int) -> list[int]:
    """Return the batch sizes at which costs are measured.

    They are the middle one that is asked about, and one on either side, so that those that are asked about lie between.
    The largest is left out where there are too few samples for it.
    """
    middle = _middle(batch_sizes)
    smallest, largest = min(*batch_sizes, max(1, middle // APART)), max(*batch_sizes, APART * middle)
    sizes = sorted({smallest, middle, largest})
    return [size for size in sizes if size < largest or size * FEWEST_BATCHES <= samples]


def cost_passes(sizes: Sequence[int], cpus: int) -> list[LoaderPass]:
    """Return the passes that costs are computed of.

    At each size they are without workers, and with one, with timestamps and without; and at the two outer sizes with a
    worker for each CPU.
    """
    passes = [
        LoaderPass(purpose="costs", num_workers=workers, batch_size=size, is_traced=is_traced)
        for size in sizes
        for workers, is_traced in ((0, False), (1, False), (1, True))
    ]
    outer = sorted({min(sizes), max(sizes)}) if cpus > 1 else []
    return [*passes, *(LoaderPass(purpose="costs", num_workers=cpus, batch_size=size) for size in outer)]


def held_out_passes(batch_sizes: Sequence[int], cpus: int, samples: int) -> list[LoaderPass]:
    """Return the passes that are measured only to be compared with their predictions."""
    middle = _middle(batch_sizes)
    used = {(entry.num_workers, entry.batch_size) for entry in cost_passes(cost_sizes(batch_sizes, samples), cpus)}
    sizes = [size for size in sorted({max(1, middle // 2), 2 * middle}) if size * FEWEST_BATCHES <= samples]
    cases = [(workers, size) for workers in sorted({0, 1, 2, cpus}) for size in sizes]
    cases += [(workers, middle) for workers in sorted({2, cpus})]
    return [
        LoaderPass(purpose="held out", num_workers=workers, batch_size=size)
        for workers, size in dict.fromkeys(cases)
        if (workers, size) not in used
    ]


def _middle(batch_sizes: Sequence[int]) -> int:
    return sorted(batch_sizes)[len(batch_sizes) // 2]

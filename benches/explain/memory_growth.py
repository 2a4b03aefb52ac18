"""Growth: what the processes of a loader hold, epoch after epoch, with its workers alive throughout."""

import gc
from dataclasses import replace
from typing import Any

from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.system import processes

EPOCHS = 12


def readings(dataset: Any, config: LoaderConfig, epochs: int = EPOCHS) -> dict[str, list[float]]:
    """Bytes of this process and its workers (``pss_bytes``, ``uss_bytes``, ``shm_bytes``): one at the first batch, then
    one at the end of each epoch. ``peak_shm_bytes`` is the highest of shared memory at the batches of the first epoch.
    """
    config = replace(config, persistent_workers=config.num_workers > 0)
    found: dict[str, list[float]] = {"pss_bytes": [], "uss_bytes": []}
    gc.collect()
    before = processes.memory()  # the loader is not there yet
    peak = 0
    with NoStrays():
        loader = config.build(dataset)
        for epoch in range(epochs):
            for number, _ in enumerate(loader):
                if epoch == 0 and number & (number - 1) == 0:
                    held = processes.memory()
                    peak = max(peak, held.shm_bytes - before.shm_bytes)
                    if not number:
                        _note(found, held)
            _note(found, processes.memory())
        del loader
        gc.collect()
    return {**found, "before_pss_bytes": [float(before.pss_bytes)], "peak_shm_bytes": [float(peak)]}


def _note(found: dict[str, list[float]], held: processes.Memory) -> None:
    for name, values in found.items():
        values.append(float(getattr(held, name)))

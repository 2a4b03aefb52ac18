"""Memory growth: what the processes of a loader hold, epoch after epoch, with its workers alive throughout."""

import gc
from dataclasses import replace
from typing import Any

from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.system import processes
from loaderbench.reports.explain.record import MemoryReadings

EPOCHS = 12


def memory_readings(dataset: Any, config: LoaderConfig, epochs: int = EPOCHS) -> MemoryReadings:
    """Return what this process and its workers hold: at the first batch, then at the end of each epoch.

    Shared memory is also read at batches 1, 2, 4, 8 … of the first epoch: its peak is the highest of these.
    """
    config = replace(config, persistent_workers=config.num_workers > 0)
    gc.collect()
    before = processes.memory()
    readings: list[processes.Memory] = []
    peak_shm_bytes = 0
    with NoStrays():
        loader = config.build(dataset)
        for epoch in range(epochs):
            for number, _ in enumerate(loader):
                if epoch == 0 and number & (number - 1) == 0:
                    memory = processes.memory()
                    peak_shm_bytes = max(peak_shm_bytes, memory.shm_bytes - before.shm_bytes)
                    if number == 0:
                        readings.append(memory)
            readings.append(processes.memory())
        del loader
        gc.collect()
    return MemoryReadings(
        before_pss_bytes=before.pss_bytes,
        pss_bytes=tuple(memory.pss_bytes for memory in readings),
        uss_bytes=tuple(memory.uss_bytes for memory in readings),
        peak_shm_bytes=peak_shm_bytes,
    )

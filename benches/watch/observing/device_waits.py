"""On CUDA: how long the device had nothing to do while its host waited for a batch. No synchronisation, no copy.

An event is recorded at both ends of ``next()``. The device reaches an event once it has done what was queued before it:
a device that is busy all the while reaches both at once, however long the host waits, and one that runs out of work
reaches the first and then waits for the second. The time between them is that for which it lacked data. It is asked
for much later, of events that the device has passed.
"""

import math
import sys
from array import array
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_PENDING = 4096  # pairs of events: of a device that is so far behind, the next ones are not timed


def device_in_use() -> int | None:
    """Return the CUDA device that the script uses; None where it has begun none, or where its work is captured."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized() or torch.cuda.is_current_stream_capturing():
        return None
    return int(torch.cuda.current_device())


def timed_event() -> Any:
    """Return an event that has a time."""
    torch: Any = sys.modules["torch"]
    return torch.cuda.Event(enable_timing=True)


@dataclass(kw_only=True)
class DeviceWaits:
    """Pairs of events, and the seconds between them once the device has passed them."""

    device: Callable[[], int | None] = device_in_use
    make_event: Callable[[], Any] = timed_event
    _free: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))  # by the device they belong to
    _pending: deque[tuple[int, Any, Any, "array[float]", int]] = field(default_factory=deque)
    _is_off: bool = False

    def begin(self) -> tuple[int, Any] | None:
        """Record that a batch is waited for; None where no device is used."""
        if self._is_off:
            return None
        try:
            device = self.device()
            if device is None or len(self._pending) >= MAX_PENDING:
                return None
            return device, self._recorded(device)
        except Exception:  # noqa: BLE001 - the script goes on, whatever its device cannot do
            self._is_off = True
            return None

    def end(self, begun: tuple[int, Any], idle: "array[float]", step: int) -> None:
        """Record that the batch `step` is there: `idle` has seconds by step, NaN until they are known."""
        idle.extend([math.nan] * (step + 1 - len(idle)))
        device, before = begun
        try:
            if self.device() == device:
                self._pending.append((device, before, self._recorded(device), idle, step))
        except Exception:  # noqa: BLE001 - as above
            self._is_off = True

    def settle(self) -> None:
        """Note the times of those events that the device has passed; asking does not wait for it."""
        try:
            while self._pending and self._pending[0][2].query():
                device, before, after, idle, step = self._pending.popleft()
                idle[step] = before.elapsed_time(after) / 1e3
                self._free[device] += (before, after)
        except Exception:  # noqa: BLE001 - as above
            self._is_off = True
            self._pending.clear()

    def _recorded(self, device: int) -> Any:
        free = self._free[device]
        event = free.pop() if free else self.make_event()
        event.record()
        return event

"""Cases of images whose throughput is given, round by round."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

Document = dict[str, Any]
STEP = 410.0


class RatedCases:
    """Cases whose rounds have given rates, in samples per second."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.cases: list[Document] = []

    def epoch(self, rates: list[float], *, workers: int, **more: Any) -> "RatedCases":
        return self._add(
            "epoch", {"seconds": [1000 / rate for rate in rates], "samples": [1000] * len(rates)}, workers, more
        )

    def training(
        self, rates: list[float], *, loader: float, step: float = STEP, stall: float = 0.02, workers: int, **more: Any
    ) -> "RatedCases":
        n, seconds = len(rates), [1000 / rate for rate in rates]
        jitter = np.linspace(0.99, 1.01, n) if n > 1 else np.ones(1)
        rounds = {
            "seconds": seconds, "samples": [1000] * n, "wait_s": [stall * second for second in seconds],
            "loader_seconds": (1000 / loader * jitter).tolist(), "loader_samples": [1000] * n,
            "step_seconds": (1000 / step * jitter).tolist(), "step_samples": [1000] * n,
        }  # fmt: skip
        return self._add("training", rounds, workers, more)

    def _add(
        self, bench: str, rounds: Mapping[str, list[float]], workers: int, more: Mapping[str, Any]
    ) -> "RatedCases":
        settings = {"dataset": "images", "device": "cpu", "num_workers": workers, "batch_size": 32, **more}
        extra = {"bench": bench, "settings": settings, "facts": {}, "rounds": rounds, "warmup": {}}
        name = f"bench_{bench}[{len(self.cases)}]"
        self.cases.append({"name": name, "extra_info": extra})
        return self

    def document(self, **block: Any) -> Document:
        return self.source.document(self.cases, **block)


def around(rate: float, spread: float = 0.01, n: int = 5) -> list[float]:
    """Return `n` rates around `rate`, whose logarithms spread evenly over 2.8 times `spread`."""
    return (rate * np.exp(spread * np.linspace(-1.4, 1.4, n))).tolist()


@pytest.fixture
def rated(synthetic: Callable[..., Any]) -> RatedCases:
    """No cases yet: ``rated.epoch(around(500), workers=0).training(…)``."""
    return RatedCases(synthetic())

"""A what-if that nobody measured."""

from typing import Any

from loaderbench.reports.whatif.simulation import Scenario
from loaderbench.reports.whatif.whatif_record import HeldOutPass, Prediction, WhatIf, WorkersNeeded


def made_up_whatif(**facts: Any) -> WhatIf:
    """Two scenarios with a step of 20 ms, and two passes that were predicted 10 % too long."""
    scenarios = [Scenario(num_workers=workers, cpus=2, step_s=0.02, ranks=2) for workers in (0, 4)]
    given = {
        "schema": WhatIf.SCHEMA,
        "version": "0",
        "started": "2026-11-25T01:00:00",
        "command": ("loaderbench", "whatif"),
        "seed": 1,
        "machine": {"cpu_model": "Imaginary"},
        "dataset": "mine:Train",
        "samples": 1000,
        "rounds": 5,
        "held_out": tuple(
            HeldOutPass(num_workers=workers, batch_size=32, batches=10, rounds_s=(1.0, 1.0), predicted_s=1.1)
            for workers in (0, 2)
        ),
        "predictions": tuple(
            Prediction(scenario=scenario, batch_size=32, batch_s=0.04, low_s=0.02, high_s=0.08, error=0.1)
            for scenario in scenarios
        ),
        "workers_needed": (WorkersNeeded(scenario=scenarios[0], batch_size=32, likely=4, best=3, worst=None),),
    }
    return WhatIf(**(given | facts))

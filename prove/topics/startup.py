"""Are the parts of a start right? Starts of known cost, in a process whose main module takes 1 s to import."""

import json
import sys
from collections.abc import Mapping
from statistics import median

from prove.commands import run
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

MAIN_S = 1.0
PAYLOAD_BYTES = 256_000_000
SCRIPT = f"""
import time
time.sleep({MAIN_S})

if __name__ == "__main__":
    import json
    from loaderbench.benches.harness.loading.loader import LoaderConfig
    from loaderbench.benches.harness.tracing.startup import trace_startup
    from loaderbench.datasets.synthetic.known_cost import Payload

    def trace(method, payload_bytes):
        config = LoaderConfig(num_workers=1, multiprocessing_context=method, persistent_workers=True, timeout=120)
        return trace_startup(config, Payload(samples=2, payload_bytes=payload_bytes))

    print(json.dumps({{
        "fork": trace("fork", {PAYLOAD_BYTES}), "small": trace("spawn", 0), "large": trace("spawn", {PAYLOAD_BYTES})
    }}))
"""
REIMPORT = "startup: a main module that takes 1 s to import"
SENT = "startup: sending 256 MB under spawn, of sending nothing"
FORKED = "startup: first batch of 256 MB under fork, of that under spawn"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the error of a part of known cost, and how starts grow with the dataset: medians over fresh processes."""
    script = scope.folder / "start.py"
    script.write_text(SCRIPT)
    traces = [json.loads(run(sys.executable, str(script), folder=scope.folder)) for _ in range(scope.of(3, 1))]
    return {
        REIMPORT: Measured(value=median(abs(trace["small"]["main_s"] / MAIN_S - 1) for trace in traces)),
        SENT: Measured(value=median(_sending_s(trace["large"]) / _sending_s(trace["small"]) for trace in traces)),
        FORKED: Measured(
            value=median(trace["fork"]["first_batch_s"] / trace["large"]["first_batch_s"] for trace in traces)
        ),
    }


def _sending_s(parts: Mapping[str, float]) -> float:
    return parts["pickle_s"] + parts["unpickle_s"]


TOPIC = Topic(
    name="startup",
    goals=(
        Goal(what=REIMPORT, unit="share", at_most=0.02),
        Goal(what=SENT, unit="ratio", at_least=3),
        Goal(what=FORKED, unit="ratio", at_most=1),
    ),
    measure=measure,
    minutes=1,
)

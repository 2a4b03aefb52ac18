"""TraceML (the package ``traceml-ai``, where it is installed) on the scripts that ``loaderbench watch`` is tried on.

TraceML sees a step only where the script says so, by ``trace_step``: the scripts are given that.
"""

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from loaderbench.reports.units import MISSING
from prove.commands import CommandError, run

STEP = "            spin(step_s)\n"
IMPORTED = "import torch\nimport traceml_ai as traceml\n\ntraceml.init(mode='auto')\nmodel = torch.nn.Linear(1, 1)\n"
NOT_BEGUN, AGAIN = "training was not started", "-again"
COST = """
import sys
import time
import torch
from pathlib import Path
from torch.utils.data import DataLoader, TensorDataset

steps, file, is_traced = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "traced"
if is_traced:
    import traceml_ai as traceml
    traceml.init(mode="auto")
model = torch.nn.Linear(1, 1)
loader = DataLoader(TensorDataset(torch.arange(32 * steps)), batch_size=32)
began = time.process_time()
for batch in loader:
    if is_traced:
        with traceml.trace_step(model):
            pass
Path(file).write_text(str((time.process_time() - began) / steps))
"""


def is_installed() -> bool:
    """Return whether this environment has TraceML."""
    return find_spec("traceml_ai") is not None


def with_steps(script: str) -> str:
    """Return a script whose step is one of TraceML's; raises ValueError where it has no such line."""
    if STEP not in script:
        raise ValueError(f"no line {STEP.strip()!r} in the script")
    return IMPORTED + script.replace(STEP, f"            with traceml.trace_step(model):\n    {STEP}")


def traced(script: str, arguments: Sequence[str], folder: Path, name: str) -> dict[str, Any]:
    """Run a script of `folder` under TraceML, and return its summary; raises CommandError.

    It is begun again once where TraceML's own server did not answer in time, and has run nothing.
    """
    command = str(Path(sys.executable).parent / "traceml")
    logs = folder / "traceml"
    options = ("--mode", "summary", "--finalize-timeout-sec", "30", "--logs-dir", str(logs), "--run-name", name)
    try:
        run(command, "run", *options, script, "--args", *arguments, folder=folder)
    except CommandError as error:
        if NOT_BEGUN not in str(error) or name.endswith(AGAIN):
            raise
        return traced(script, arguments, folder, f"{name}{AGAIN}")
    summary: dict[str, Any] = json.loads((logs / name / "final_summary.json").read_text(encoding="utf-8"))
    return summary


def answer(script: str, arguments: Sequence[str], folder: Path, name: str) -> tuple[float | None, str]:
    """Return the share of a step that is input wait, as TraceML has it, and its verdict; None where it has none."""
    try:
        summary = traced(script, arguments, folder, name)
        evidence = summary["primary_diagnosis"]["evidence"]
        verdict = str(summary["primary_diagnosis"]["status"])
        average = summary["step_time"]["global"]["average"]
    except (CommandError, OSError, KeyError, ValueError) as error:
        return None, f"{type(error).__name__}: {error}"
    wait = average.get("input_wait_ms", evidence.get("input_wait_ms"))
    step = average.get("step_time_ms", evidence.get("step_time_ms"))
    return (wait / step if wait is not None and step else None), verdict or MISSING


def step_cost(folder: Path, steps: int, times: int) -> float:
    """Return the median CPU seconds that TraceML adds to a step in the script's process, of runs in alternation."""
    (folder / "traceml_cost.py").write_text(COST, encoding="utf-8")
    plain, under = [], []
    for number in range(times):
        file = folder / f"traceml-cost-{number}.txt"
        run(sys.executable, "traceml_cost.py", str(steps), str(file), "plain", folder=folder)
        plain.append(float(file.read_text()))
        traced("traceml_cost.py", (str(steps), str(file), "traced"), folder, f"cost-{number}")
        under.append(float(file.read_text()))
    return median(under) - median(plain)

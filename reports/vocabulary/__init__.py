"""The vocabulary: every setting, every metric, and every other option that says what is measured, declared once.

Command-line options, feasibility, the identity of a case, columns, tables, figures and docs are derived from these
values. To add one is to add an entry here and the code that uses it; `register` adds one from elsewhere. The order of
the entries is the order in which a reader meets them.
"""

from loaderbench.reports.vocabulary.entries import (
    GateRule,
    Metric,
    Setting,
    WorkloadOption,
)
from loaderbench.reports.vocabulary.exit_codes import ExitCode
from loaderbench.reports.vocabulary.identity import case_identity
from loaderbench.reports.vocabulary.lookups import (
    CONTROL_BENCH,
    FIDELITY_BENCH,
    STEP_BENCHES,
    aggregated,
    label_of,
    loader_arguments,
    loader_settings,
    names,
    of_workers,
    panel_settings,
    quotients,
    ranked,
    register,
    sample_rate,
    speed_only_settings,
    swept,
    unit_of,
)
from loaderbench.reports.vocabulary.metrics import (
    METRICS,
)
from loaderbench.reports.vocabulary.settings import (
    SAMPLES,
    SETTINGS,
    WORKLOAD_OPTIONS,
)

__all__ = [
    "CONTROL_BENCH",
    "FIDELITY_BENCH",
    "METRICS",
    "SAMPLES",
    "SETTINGS",
    "STEP_BENCHES",
    "WORKLOAD_OPTIONS",
    "ExitCode",
    "GateRule",
    "Metric",
    "Setting",
    "WorkloadOption",
    "aggregated",
    "case_identity",
    "label_of",
    "loader_arguments",
    "loader_settings",
    "names",
    "of_workers",
    "panel_settings",
    "quotients",
    "ranked",
    "register",
    "sample_rate",
    "speed_only_settings",
    "swept",
    "unit_of",
]

"""What is looked up: settings and metrics by what is true of them."""

from collections.abc import Callable, Mapping
from typing import Literal

from loaderbench.reports.vocabulary.entries import ANY, Metric, Setting
from loaderbench.reports.vocabulary.metrics import METRICS
from loaderbench.reports.vocabulary.settings import SAMPLES, SETTINGS

# Benches whose cases are judged in a way of their own.
STEP_BENCHES = ("training", "watch", "ranks_training")  # where a wait is a step's: what ``stall_share`` is of
CONTROL_BENCH = "control"  # no change to the code can affect its cases
FIDELITY_BENCH = "fidelity"  # it asks about the suite itself, so that no revision is judged by it


def register(entry: Setting | Metric) -> None:
    """Add a setting or a metric; raises ValueError where its name is taken."""
    if entry.name in SETTINGS or entry.name in METRICS:
        raise ValueError(f"{entry.name} is in the vocabulary already")
    if isinstance(entry, Setting):
        SETTINGS[entry.name] = entry
    else:
        METRICS[entry.name] = entry


def names(condition: Callable[[Setting], bool]) -> tuple[str, ...]:
    """Return the names of the settings for which `condition` holds, in reading order."""
    return tuple(name for name, setting in SETTINGS.items() if condition(setting))


def swept() -> tuple[str, ...]:
    """Return the settings that have an option."""
    return names(lambda setting: setting.is_swept)


def panel_settings() -> tuple[str, ...]:
    """Return the settings that a verdict and a panel are about.

    >>> panel_settings()
    ('dataset', 'device')
    """
    return names(lambda setting: setting.is_panel)


def of_workers() -> Mapping[str, object]:
    """Return the settings that mean nothing at num_workers=0, each with its only value there."""
    return {name: entry.without_workers for name, entry in SETTINGS.items() if entry.without_workers is not ANY}


def loader_arguments() -> tuple[str, ...]:
    """Return the settings that are arguments of DataLoader by their own names."""
    return names(lambda setting: setting.is_argument)


def loader_settings() -> tuple[str, ...]:
    """Return the settings that make a DataLoader: its arguments, under their own names or others."""
    return names(lambda setting: setting.is_argument or setting.makes_argument)


def speed_only_settings() -> tuple[str, ...]:
    """Return the settings that change speed only, not which batches come; the one that costs most per unit first."""
    ranked = [(setting.cost_rank, name) for name, setting in SETTINGS.items() if setting.cost_rank is not None]
    return tuple(name for _, name in sorted(ranked))


def aggregated(how: str) -> tuple[str, ...]:
    """Return the metrics of which a case keeps `how`: "median", "max", …"""
    return tuple(name for name, metric in METRICS.items() if metric.aggregate == how)


def quotients() -> dict[str, tuple[str, str]]:
    """Return the metrics that are a total over a total, each with the two metrics of a round.

    >>> quotients()["samples_per_s"]
    ('samples', 'seconds')
    """
    return {name: metric.quotient for name, metric in METRICS.items() if metric.quotient is not None}


def ranked(by: Literal["result_rank", "trend_rank"]) -> tuple[str, ...]:
    """Return the metrics that have a rank, the first one first."""
    places = [(getattr(metric, by), name) for name, metric in METRICS.items() if getattr(metric, by) is not None]
    return tuple(name for _, name in sorted(places))


def sample_rate(dataset: object) -> str:
    """Return the unit of a dataset's throughput: what its samples are, where that is known.

    >>> sample_rate("images"), sample_rate("my.data:Train")
    ('images/s', 'samples/s')
    """
    return f"{SAMPLES.get(str(dataset), 'samples')}/s"


def unit_of(metric: str, dataset: object) -> str:
    """Return a metric's unit; of a throughput, with what the dataset's samples are.

    >>> unit_of("samples_per_s", "images"), unit_of("wait_s", None), unit_of("zeal", None)
    ('images/s', 's', '')
    """
    unit = METRICS[metric].unit if metric in METRICS else ""
    return sample_rate(dataset) if unit == "samples/s" else unit


def label_of(metric: str) -> str:
    """Return what a reader calls a metric.

    >>> label_of("samples_per_s"), label_of("zeal")
    ('throughput', 'zeal')
    """
    return METRICS[metric].label if metric in METRICS else metric

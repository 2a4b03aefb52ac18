"""What ``make prove`` measures: a file for each topic, with its goals as data and the function that measures them.

To add one, write ``prove/topics/<topic>.py`` with a `Topic`, and list it here; `make prove-short` must measure it too.
"""

from collections.abc import Sequence

from loaderbench.benches.harness.system.devices import available
from prove.goals import Topic
from prove.topics import (
    answers,
    breakdown,
    causes,
    changes,
    device_waits,
    fidelity,
    gates,
    noisy_gates,
    predictions,
    ranks,
    recommendations,
    scale,
    startup,
    tune,
    watched_scripts,
)

TOPICS: Sequence[Topic] = (
    fidelity.TOPIC,
    breakdown.TOPIC,
    startup.TOPIC,
    causes.TOPIC,
    predictions.TOPIC,
    answers.TOPIC,
    tune.TOPIC,
    ranks.TOPIC,
    scale.TOPIC,
    watched_scripts.TOPIC,
    *((device_waits.TOPIC,) if "cuda" in available() else ()),
    gates.TOPIC,  # from here on arithmetic, which is computed side by side
    noisy_gates.TOPIC,
    changes.TOPIC,
    recommendations.TOPIC,
)

"""Which cases are the same case: of two rounds of measuring, two revisions or any two runs."""

import hashlib
import json
from collections.abc import Collection, Mapping

from loaderbench.reports.vocabulary.lookups import of_workers


def case_identity(bench: object, settings: Mapping[str, object], ignored: Collection[str] = ()) -> str:
    """Return what identifies a case wherever it is measured or read: a digest of its bench and its settings.

    Settings of workers do not count where there are none, nor does what is missing (None or NaN), nor the settings
    called `ignored`; 2.0 is 2. A setting that a later version of a bench adds makes another case.

    >>> case_identity("epoch", {"num_workers": 0, "prefetch_factor": 2}) == case_identity("epoch", {"num_workers": 0.0})
    True
    """
    known = {name: _text(value) for name, value in settings.items() if value is not None and value == value}  # noqa: PLR0124 - not NaN
    left_out = {*ignored, *(of_workers() if known.get("num_workers") == "0" else ())}
    relevant = sorted((name, text) for name, text in known.items() if name not in left_out)
    return hashlib.sha256(json.dumps([str(bench), relevant]).encode()).hexdigest()[:32]


def _text(value: object) -> str:
    """Return a value as text, in which it is the same before and after a file and a frame: 2, 2.0 and "2" are one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

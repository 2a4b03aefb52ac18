"""A case that is measured more than once in a run: its rounds are put together, as those of one case."""

from typing import Any

from pytest_benchmark.stats import Stats

Entry = dict[str, Any]
_TIMES = ("rounds", "warmup")  # columns of metrics in the ``extra_info``


def with_more_rounds(entry: Entry, more: Entry) -> Entry:
    """Return the entry of a case in the record with the rounds of `entry`, then those of `more`; facts are the latest.

    Each round of `more` may be of another process; a metric that either lacks is None in its rounds.
    """
    extra_info = {**more["extra_info"]}
    for name in _TIMES:
        extra_info[name] = _joined(entry["extra_info"][name], more["extra_info"][name])
    if "ranks" in extra_info and len(entry["extra_info"].get("ranks", ())) == len(extra_info["ranks"]):
        pairs = zip(entry["extra_info"]["ranks"], extra_info["ranks"], strict=True)
        extra_info["ranks"] = [{**new, "rounds": _joined(old["rounds"], new["rounds"])} for old, new in pairs]
    return {**more, "extra_info": extra_info, "stats": {**more["stats"], **_stats(entry, more)}}


def _joined(first: Entry, second: Entry) -> Entry:
    """Return columns of metrics one after the other."""
    lengths = [max(map(len, columns.values()), default=0) for columns in (first, second)]
    return {
        name: [*first.get(name, [None] * lengths[0]), *second.get(name, [None] * lengths[1])]
        for name in {**first, **second}
    }


def _stats(entry: Entry, more: Entry) -> Entry:
    stats = Stats()
    for seconds in (*entry["stats"]["data"], *more["stats"]["data"]):
        stats.update(seconds)
    return {**stats.as_dict(), "data": stats.data}

"""A tuning that nobody measured."""

from typing import Any

from loaderbench.reports.tune.tune_record import RuledOut, Trial, TriedSetting, Tuned, TuneLimits


def made_up_tuning(epochs_s: dict[str, float] | None = None, **facts: Any) -> Tuned:
    """Settings of these seconds an epoch, five blocks of each; the first is torch's and the user's own.

    The one that takes least is recommended.
    """
    epochs_s = epochs_s or {"workers=0": 2.0, "workers=2": 1.0, "workers=4": 1.02}
    best = min(epochs_s, key=lambda name: epochs_s[name])
    trials = tuple(
        Trial(
            setting=name, block=block, epoch_s=epoch_s * (1 + 0.001 * ((block + place) % 3)), sample_s=epoch_s / 1000,
            first_batch_s=0.1, cpu_s=2 * epoch_s, pss_bytes=1e8 * (1 + place), shm_bytes=0.0, passes=3, seconds=0.5,
        )
        for block in range(1, 6)
        for place, (name, epoch_s) in enumerate(epochs_s.items())
    )  # fmt: skip
    settings = tuple(
        TriedSetting(
            name=name,
            values={"num_workers": 2 * place},
            call=f"DataLoader(dataset, num_workers={2 * place})",
            imports=("from torch.utils.data import DataLoader",),
            status="open" if name == best else "worse",
        )
        for place, name in enumerate(epochs_s)
    )
    given = {
        "schema": Tuned.SCHEMA, "version": "0", "started": "2026-11-26T01:00:00", "command": ("loaderbench", "tune"),
        "seed": 1, "machine": {"cpu_model": "Imaginary"}, "subject": {"dataset": "mine:Train"},
        "dataset": "mine:Train", "samples": 1000, "batches": 10, "batch_samples": 10, "objective": "epoch",
        "limits": TuneLimits(), "fixed": {}, "budget_s": 60.0, "spent_s": 12.0, "torchs": next(iter(epochs_s)),
        "own": next(iter(epochs_s)), "recommended": best, "is_shown": True, "settings": settings, "trials": trials,
        "ending": "decided", "ruled_out": (RuledOut(name="workers=64", reason="shared memory: 9 GB of 8 GB"),),
    }  # fmt: skip
    return Tuned(**(given | facts))

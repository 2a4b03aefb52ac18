"""The user's own training script, as it is: what its loops wait for.

In a notebook: ``from loaderbench.benches.watch import watch``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loaderbench.benches.watch.block import watch as watch


def __getattr__(name: str) -> Any:
    """Import `watch` where it is asked for: a worker imports this package too, and needs nothing of it."""
    if name != "watch":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from loaderbench.benches.watch import block  # noqa: PLC0415

    return block.watch

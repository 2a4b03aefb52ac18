"""``loaderbench check``, ``explain`` and ``whatif``: what would crash, what makes loading slow, what else would do."""

import argparse
import multiprocessing
from collections.abc import Callable
from pathlib import Path

BUDGET_S = 300.0


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verbs; each sets `run`, which takes the options and returns the exit code."""
    _add_check(verbs)
    _add_explain(verbs)
    _add_whatif(verbs)


def _add_check(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "check",
        help="before anything runs: shared memory, descriptors, memory, CPUs, pickle, streams that repeat themselves",
        description="Exit code 1 where it would crash or be wrong.",
    )
    _add_dataset(parser)
    _add_loader(parser)
    parser.set_defaults(run=_check)


def _add_explain(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "explain",
        help="what makes this loader slow: each known cause removed in turn, ranked by what an epoch gains",
        description="Causes that cannot be tried on this loader are listed with the reason. Nothing else is claimed.",
    )
    _add_dataset(parser)
    _add_loader(parser)
    switches = {"persistent-workers": "workers live on between epochs", "pin-memory": "page-locked batches"}
    for name, what in switches.items():
        parser.add_argument(f"--{name}", choices=("on", "off"), default="off", help=f"{what} (default: off)")
    parser.add_argument("--samples", default="auto", metavar="N", help="of a pass: a number, all, or auto (0.3 s)")
    parser.add_argument("--device", default="", metavar="NAME", help="cpu, cuda, … (default: the accelerator, if any)")
    parser.add_argument("--model", default="", metavar="MODULE:NAME", help="the model to train on each batch")
    parser.add_argument("--model-args", default="", metavar="JSON", help="its arguments")
    parser.add_argument("--loss", default="", metavar="NAME", help="of torch.nn.functional, or module:attribute")
    parser.add_argument(
        "--step", type=_seconds, default=0.0, metavar="TIME", help="in its place: a pause, such as 20ms"
    )
    parser.add_argument(
        "--budget", type=_seconds, default=BUDGET_S, metavar="TIME", help="for more than 4 blocks a cause (default: 5m)"
    )
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="of all orders (default: drawn)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where it goes (default: runs/<when>-explain)")
    parser.set_defaults(run=_explain)


def _add_whatif(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "whatif",
        help="what other workers, batches, CPUs, devices or storage would give: simulated from this loader's costs",
        description="Costs are read here; passes that were measured and not used say how far a prediction is off. "
        "Lists are of numbers with commas.",
    )
    _add_dataset(parser)
    whole, any_size = _list(int, 0), _list(float, 0.1)
    parser.add_argument("--num-workers", type=whole, default=[0, 1, 2, 4, 8], metavar="LIST", help="of each rank")
    parser.add_argument("--batch-size", type=_list(int, 1), default=[32], metavar="LIST", help="samples (default: 32)")
    parser.add_argument("--prefetch-factor", type=int, default=2, metavar="N", help="batches of each (default: 2)")
    parser.add_argument("--step", type=_seconds, default=0.0, metavar="TIME", help="what a device's step takes: 20ms")
    parser.add_argument(
        "--cpus", type=any_size, default=[], metavar="LIST", help="of the machine (default: this one's)"
    )
    parser.add_argument("--ranks", type=_list(int, 1), default=[1], metavar="LIST", help="devices with a loader each")
    parser.add_argument("--storage", type=_bytes, default=0.0, metavar="SIZE", help="bytes/s that all share: 2GB")
    parser.add_argument("--sample-bytes", type=_bytes, default=0.0, metavar="SIZE", help="that a sample reads there")
    parser.add_argument("--samples", default="auto", metavar="N", help="of a pass: a number, all, or auto (1 s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all orders (default: 0)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where it goes (default: runs/<when>-whatif)")
    parser.set_defaults(run=_whatif)


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, metavar="NAME", help="module:attribute, or a name of ours")
    parser.add_argument("--dataset-args", default="", metavar="JSON", help="its arguments: an object or an array")
    parser.add_argument("--collate-fn", default="", metavar="NAME", help="module:attribute, or a name of ours")


def _add_loader(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="samples in a batch (default: 32)")
    parser.add_argument("--num-workers", type=int, default=2, metavar="N", help="worker processes (default: 2)")
    parser.add_argument("--prefetch-factor", type=int, default=2, metavar="N", help="batches of each (default: 2)")
    parser.add_argument("--start-method", choices=multiprocessing.get_all_start_methods(), help="how workers start")


def _seconds(text: str) -> float:
    """A time such as ``20ms``, ``90``, ``90s`` or ``5m``, in seconds."""
    for unit, each_s in (("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("", 1.0)):
        if text.endswith(unit):
            value = float(text.removesuffix(unit)) * each_s
            break
    if not value > 0:
        raise ValueError(text)
    return value


def _bytes(text: str) -> float:
    """A size such as ``150kB``, ``2GB`` or ``4096``, in bytes."""
    for unit, each in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1.0), ("", 1.0)):
        if text.endswith(unit):
            value = float(text.removesuffix(unit)) * each
            break
    if not value > 0:
        raise ValueError(text)
    return value


def _list(kind: type[int] | type[float], least: float) -> Callable[[str], list[float]]:
    def read(text: str) -> list[float]:
        values = [kind(word) for word in text.split(",")]
        if min(values) < least:
            raise ValueError(text)
        return values

    return read


def _check(options: argparse.Namespace) -> int:
    from loaderbench.benches.explain.check import check

    return check(options)


def _explain(options: argparse.Namespace) -> int:
    from loaderbench.benches.explain.explain import explain

    return explain(options)


def _whatif(options: argparse.Namespace) -> int:
    from loaderbench.benches.explain.whatif import whatif

    return whatif(options)

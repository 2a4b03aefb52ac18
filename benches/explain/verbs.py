"""``loaderbench check``: what would crash or be wrong, told before anything runs."""

import argparse
import multiprocessing


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb; it sets `run`, which takes the options and returns the exit code."""
    parser = verbs.add_parser(
        "check",
        help="before anything runs: shared memory, descriptors, memory, CPUs, pickle, streams that repeat themselves",
        description="Exit code 1 where it would crash or be wrong.",
    )
    parser.add_argument("--dataset", required=True, metavar="NAME", help="module:attribute, or a name of ours")
    parser.add_argument("--dataset-args", default="", metavar="JSON", help="its arguments: an object or an array")
    parser.add_argument("--collate-fn", default="", metavar="NAME", help="module:attribute, or a name of ours")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="samples in a batch (default: 32)")
    parser.add_argument("--num-workers", type=int, default=2, metavar="N", help="worker processes (default: 2)")
    parser.add_argument("--prefetch-factor", type=int, default=2, metavar="N", help="batches of each (default: 2)")
    parser.add_argument("--start-method", choices=multiprocessing.get_all_start_methods(), help="how workers start")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from loaderbench.benches.explain.check import check  # noqa: PLC0415 - torch takes a second, which no --help waits for

    return check(options)

"""``loaderbench watch``: what the loops of a training script wait for, in the script as it is."""

import argparse
import os
import sys
from pathlib import Path

from loaderbench.benches.cli import options as shared
from loaderbench.benches.cli import output
from loaderbench.benches.harness.errors import RefusedError

HELP = "watch your own training script, as it is: what its loops wait for, and how much faster they could be"
EXAMPLE = "watch --steps 200 train.py --epochs 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; what follows the script is the script's."""
    parser.usage = "%(prog)s [--steps N] [--seconds TIME] [--out DIR] (SCRIPT | -m MODULE) [ARGUMENT ...]"
    steps = "end the script after so many batches, of all loaders together"
    parser.add_argument("--steps", type=shared.whole(1), metavar="N", help=steps)
    seconds = "end the script so long after its first loop began, such as 90s"
    parser.add_argument("--seconds", type=shared.time, metavar="TIME", help=seconds)
    shared.add_out(parser, "watch")
    module = "a module in place of a script, and its arguments"
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help=module)
    script = "the script, and its arguments"
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="SCRIPT", help=script)


def run(options: argparse.Namespace) -> int:
    """Run the script, and show what was seen of its loaders; return the script's exit code, 130 after Ctrl-C."""
    from loaderbench.benches.watch.ranks import rank_and_size, rank_folder
    from loaderbench.benches.watch.script import run_module, run_script
    from loaderbench.benches.watch.session import WatchSession, show

    words = options.module or options.script
    if not words:
        raise RefusedError(f"name a script, or -m and a module: loaderbench {EXAMPLE}")
    if not options.module and not Path(words[0]).is_file():
        raise RefusedError(f"{words[0]}: no such script; give a file, or -m and a module")
    rank, size = rank_and_size(os.environ)
    if size > 1 and options.out is None:
        raise RefusedError(f"rank {rank} of {size}: give --out DIR, in which each rank has a folder")
    out = rank_folder(options.out, rank) if size > 1 else options.out
    session = WatchSession(
        folder=output.new_folder("watch", out),
        script=words[0],
        command=("loaderbench", *sys.argv[1:]),
        most_steps=options.steps,
        most_s=options.seconds,
    )
    with session.watching():
        ending = (run_module if options.module else run_script)(words[0], words[1:])
    show(session, session.finish(ending.how, ending.why))
    return ending.code

"""``loaderbench watch``: what the loops of a training script wait for, in the script as it is."""

import argparse
import os
import sys
from pathlib import Path

from loaderbench.benches.cli.shared import common_options, option_types, output
from loaderbench.benches.harness.errors import RefusedError

HELP = "watch your own training script, as it is: what its loops wait for, and how much faster they could be"
EXAMPLE = "watch --steps 200 train.py --epochs 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; what follows the script is the script's."""
    parser.usage = "%(prog)s [--steps N] [--seconds TIME] [--out DIR] (SCRIPT | -m MODULE) [ARGUMENT ...]"
    steps = "end the script after N batches of all loaders together"
    parser.add_argument("--steps", type=option_types.whole(1), metavar="N", help=steps)
    seconds = "end the script this long after its first loop began, such as 90s"
    parser.add_argument("--seconds", type=option_types.time, metavar="TIME", help=seconds)
    common_options.add_out(parser, "watch")
    module = "a module in place of a script, and its arguments"
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help=module)
    script = "the script, and its arguments"
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="SCRIPT", help=script)


def run(options: argparse.Namespace) -> int:
    """Run the script, and show what was seen of its loaders; return its exit code; Ctrl-C ends this process."""
    from loaderbench.benches.watch.ranks import folder_of_rank, rank_and_size
    from loaderbench.benches.watch.script import end_by_ctrl_c, run_module, run_script
    from loaderbench.benches.watch.session import WatchSession, show

    words = options.module or options.script
    if not words:
        raise RefusedError(f"name a script, or -m and a module: loaderbench {EXAMPLE}")
    if not options.module and not Path(words[0]).is_file():
        raise RefusedError(f"{words[0]}: no such script; give a file, or -m and a module")
    rank, size = rank_and_size(os.environ)
    session = WatchSession(
        folder=output.new_folder("watch", folder_of_rank(options.out, rank, size)),
        script=words[0],
        command=("loaderbench", *sys.argv[1:]),
        rank=rank,
        world_size=size,
        most_steps=options.steps,
        most_s=options.seconds,
    )
    with session.watching():
        ending = (run_module if options.module else run_script)(words[0], words[1:])
    show(session, session.finish(ending.how, ending.why))
    if ending.how == "interrupted":
        end_by_ctrl_c()
    return ending.code

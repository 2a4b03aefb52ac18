"""``loaderbench gate``: did this change make data loading slower? And what the verbs beside it share."""

import argparse
import random
import secrets
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from loaderbench.benches.gate.blocks import Blocks
from loaderbench.benches.gate.revisions import Asked, prepared
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.record import now

# pandas and scipy take a second to import, which other verbs need not wait for: functions import what they need.
if TYPE_CHECKING:
    from loaderbench.reports.gate.comparison import Judgement, Noise
    from loaderbench.reports.gate.sequential import Trial

WIDE = 140  # columns where there is no terminal: a log wraps by itself
BROKEN = 2  # exit code: could not be judged
INTERRUPTED = 130
VERDICT = "verdict.json"
MARGIN = 0.03
TERMINATED = 143


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb; it sets `run`, which takes the options and the benches' own, and returns the exit code."""
    parser = verbs.add_parser(
        "gate",
        help="compare two revisions, interpreters or settings: did data loading become slower?",
        description="Every other option is the benches' own: --dataset, --num-workers, -k … (loaderbench run --help).",
        allow_abbrev=False,
    )
    sides = parser.add_argument_group("the two sides")
    for name, usual in (
        ("base", "what to compare with"),
        ("head", "default: the working tree, uncommitted changes too"),
    ):
        sides.add_argument(f"--{name}", metavar="REV", default="", help=f"a git revision of this repository ({usual})")
        sides.add_argument(
            f"--{name}-python", metavar="PATH", default="", help="an interpreter with loaderbench installed"
        )
        sides.add_argument(f"--{name}-settings", metavar="LIST", default="", help="such as num_workers=2,batch_size=64")
    sides.add_argument(
        "--setup", metavar="CMD", default="", help="run in each worktree first, to build what must be built"
    )
    add_judging(parser)
    parser.add_argument("--as-is", action="store_true", help="leave allocator, threads and placement as they are")
    parser.add_argument(
        "--budget", type=seconds, metavar="TIME", default=600.0, help="such as 90s or 10m (default: 10m)"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", default=None, help="of all orders (default: drawn, and recorded)"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="a calibration.json, for what the gate states of itself (default: the newest in runs/)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the verdict goes (default: runs/<when>-gate)")
    parser.set_defaults(run=gate, passes_on=True)


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Register the options of a verdict, which gate and compare share."""
    judging = parser.add_argument_group("the verdict")
    judging.add_argument(
        "--margin", type=share, metavar="SHARE", default=None, help="what is too small to care about (default: 3%%)"
    )
    judging.add_argument("--strict", action="store_true", help="exit with 3 where a verdict is inconclusive")
    judging.add_argument("--accept-gone", action="store_true", help="cases that head does not have are no fault")


def seconds(text: str) -> float:
    """A time such as ``90``, ``90s``, ``10m`` or ``1h``, in seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    if not (value := float(number) * unit) > 0:
        raise ValueError(text)
    return value


def share(text: str) -> float:
    """A share such as ``3%`` or ``0.03``."""
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 < value < 1:
        raise ValueError(text)
    return value


def gate(options: argparse.Namespace, others: Sequence[str]) -> int:
    """Measure both sides in turns, judge them, write what came of it, and return the exit code."""
    base, head = asked(options)
    if not (base.revision or base.python != head.python or base.settings != head.settings):
        return refuse("name what to compare: --base REV, --base-python PATH or --base-settings LIST (or head's)")
    folder = options.out or unused(Path("runs") / f"{now():%Y%m%d-%H%M%S}-gate")
    if (folder / VERDICT).exists():  # were this comparison refused, that one would be taken for its verdict
        return refuse(f"--out {folder}: a {VERDICT} of an earlier comparison is there; name a new folder")
    seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed
    try:
        with ended_by_signals(), prepared(base, head, options.setup) as sides:
            blocks = Blocks(
                sides=sides,
                options=others,
                folder=folder / "blocks",
                rng=random.Random(seed),  # noqa: S311 - an order, not a secret
                controlled=not options.as_is,
                differing=base.axes | head.axes,
            )
            return _judge(blocks, options, seed, folder)
    except RefusedError as error:
        return refuse(str(error))
    except OSError as error:
        return refuse(f"{error.filename or folder}: {error.strerror}")
    except KeyboardInterrupt:
        return refuse("interrupted; nothing was judged", INTERRUPTED)


def _judge(blocks: Blocks, options: argparse.Namespace, seed: int, folder: Path) -> int:
    from loaderbench.reports.gate.comparison import About, judgement
    from loaderbench.reports.gate.sequential import Plan, Trial

    started = now().isoformat()
    trial = Trial(
        plan=Plan(margin=options.margin or MARGIN, budget_s=options.budget),
        measure=blocks.measure,
        tell=_told,
    )
    trial.run()
    about = About(
        kind="gate",
        base=blocks.sides[0].label,
        head=blocks.sides[1].label,
        command=("loaderbench", *sys.argv[1:], *(() if options.seed is not None else (f"--seed={seed}",))),
        seed=seed,
        controlled=blocks.controlled,
        started=started,
        version=version("loaderbench"),
        machine=trial.blocks[0]["machine"],
        noise=_noise(options.calibration, trial.blocks[0]["machine"]),
        strict=options.strict,
        accept_gone=options.accept_gone,
    )
    return publish(judgement(trial, about, new=blocks.known.new, gone=blocks.known.gone), folder)


def _noise(given: Path | None, machine: Mapping[str, Any]) -> "Noise | None":
    """What is known of the gate on a machine like this one; a file that cannot be read is told, and loses nothing."""
    from loaderbench.reports.gate.calibration import stated
    from loaderbench.reports.records.reading import MalformedError

    file = given or max(Path("runs").glob("*-calibration/calibration.json"), default=None)
    try:
        return stated(file, machine) if file else None
    except (MalformedError, OSError) as fault:
        refuse(f"{file} is passed over: {fault}")
        return None


def publish(found: "Judgement", folder: Path) -> int:
    """Write a judgement's files, show it, and return its exit code."""
    from loaderbench.reports.render import gate_outputs as outputs
    from loaderbench.reports.render import gate_terminal as terminal

    write(outputs.outputs(found), folder)
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(terminal.verdicts(found))
    print(f"\n{(folder / 'report.html').resolve()}")
    return found.exit_code


def write(contents: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Write files, each by its path within `folder`."""
    for name, content in contents:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def asked(options: argparse.Namespace) -> tuple[Asked, Asked]:
    """Both sides as the command line names them; a revision on one side makes the other one the working tree."""
    base, head = (
        Asked(
            name=name,
            revision=getattr(options, name),
            python=getattr(options, f"{name}_python"),
            settings=getattr(options, f"{name}_settings"),
        )
        for name in ("base", "head")
    )
    return base, head


def _told(trial: "Trial") -> None:
    from loaderbench.reports.render.gate_terminal import progress

    line = progress(trial)
    print(f"\r\x1b[2K{line}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
    sys.stderr.flush()


def unused(folder: Path) -> Path:
    """`folder`, or the next of its name that nothing holds."""
    found, count = folder, 1
    while found.exists():
        count += 1
        found = folder.with_name(f"{folder.name}-{count}")
    return found


def refuse(why: str, code: int = BROKEN) -> int:
    print(f"loaderbench: {why}", file=sys.stderr)
    return code


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does, so that worktrees and processes are cleared away."""

    def leave(*_: object) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""``loaderbench gate`` and ``compare``: did this change make data loading slower?"""

import argparse
import random
import secrets
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from loaderbench.benches.gate.blocks import Blocks
from loaderbench.benches.gate.sides import Asked, RefusedError, prepared
from loaderbench.benches.harness.journal import now

# pandas and scipy take a second to import, which other verbs need not wait for: functions import what they need.
if TYPE_CHECKING:
    from loaderbench.reports.judgement import Judgement
    from loaderbench.reports.trial import Trial

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
    _add_judging(parser)
    parser.add_argument("--as-is", action="store_true", help="leave allocator, threads and placement as they are")
    parser.add_argument(
        "--budget", type=seconds, metavar="TIME", default=600.0, help="such as 90s or 10m (default: 10m)"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", default=None, help="of all orders (default: drawn, and recorded)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the verdict goes (default: runs/<when>-gate)")
    parser.set_defaults(run=gate, passes_on=True)
    _add_compare(verbs)


def _add_compare(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "compare",
        help="compare recorded runs, or judge a verdict.json again",
        description="compare BASE HEAD, BASE… --head HEAD…, or a verdict.json. A verdict takes four runs a side.",
    )
    parser.add_argument("base", nargs="+", type=Path, metavar="RUN", help="a run's folder, run.json or run.jsonl")
    parser.add_argument("--head", nargs="+", type=Path, default=[], metavar="RUN", help="the runs of the other side")
    parser.add_argument("--anyway", action="store_true", help="compare unlike machines, and say so in the result")
    _add_judging(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the verdict goes (default: beside the newest head)"
    )
    parser.set_defaults(run=compare)


def _add_judging(parser: argparse.ArgumentParser) -> None:
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
        return _refuse("name what to compare: --base REV, --base-python PATH or --base-settings LIST (or head's)")
    folder = options.out or _unused(Path("runs") / f"{now():%Y%m%d-%H%M%S}-gate")
    seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed
    try:
        with _ended_by_signals(), prepared(base, head, options.setup) as sides:
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
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or folder}: {error.strerror}")
    except KeyboardInterrupt:
        return _refuse("interrupted; nothing was judged", INTERRUPTED)


def _judge(blocks: Blocks, options: argparse.Namespace, seed: int, folder: Path) -> int:
    from loaderbench.reports.judgement import About, judgement
    from loaderbench.reports.trial import Plan, Trial

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
        strict=options.strict,
        accept_gone=options.accept_gone,
    )
    return publish(judgement(trial, about, new=blocks.known.new, gone=blocks.known.gone), folder)


def compare(options: argparse.Namespace) -> int:
    """Judge what was recorded, write what came of it, and return the exit code."""
    if len(options.base) == 1 and not options.head:
        return _judge_again(options.base[0], options)
    base, head = (options.base, options.head) if options.head else (options.base[:1], options.base[1:])
    if len(head) != 1 and not options.head:
        return _refuse("more than two runs: say which are the other side with --head RUN…")
    return _compare(base, head, options)


def _judge_again(path: Path, options: argparse.Namespace) -> int:
    from loaderbench.reports.judgement_file import read_verdict
    from loaderbench.reports.schema import MalformedError

    file = path / VERDICT if path.is_dir() else path
    if path.is_dir() and not file.exists():
        return _refuse(f"{path}: one side alone; name the other one too (compare BASE HEAD), or a {VERDICT}")
    try:
        held = read_verdict(file)
    except MalformedError as fault:
        return _refuse(f"{file}: {fault}")
    about = replace(held.about, strict=options.strict, accept_gone=options.accept_gone)
    plan = replace(held.plan, margin=options.margin or held.plan.margin)
    return publish(replace(held, about=about).judged(plan), options.out or file.parent / "again")


def _compare(base: Sequence[Path], head: Sequence[Path], options: argparse.Namespace) -> int:
    from loaderbench.reports import comparing, records
    from loaderbench.reports.judgement import About
    from loaderbench.reports.trial import Plan

    sides = [records.read(paths) for paths in (base, head)]
    faults = [str(fault) for side in sides for fault in side.faults]
    if faults or not all(side.runs for side in sides):  # what cannot be read cannot be judged
        return _refuse("; ".join(faults) or "a side holds no run")
    runs = (*sides[0].runs, *sides[1].runs)
    unlike = comparing.unlike(runs)
    if unlike and not options.anyway:
        return _refuse(
            f"unlike machines ({'; '.join(unlike)}): what differs is not the code alone. --anyway compares them"
        )
    about = About(
        kind="compare",
        base=comparing.label(sides[0]),
        head=comparing.label(sides[1]) + (f" on an unlike machine ({'; '.join(unlike)})" if unlike else ""),
        command=("loaderbench", *sys.argv[1:]),
        started=now().isoformat(),
        version=version("loaderbench"),
        machine=dict(sides[1].runs[-1].machine),
        strict=options.strict,
        accept_gone=options.accept_gone,
    )
    found = comparing.compare(sides[0], sides[1], Plan(margin=options.margin or MARGIN), about)
    return publish(found, options.out or sides[1].runs[-1].path.parent / "compare")


def publish(found: "Judgement", folder: Path) -> int:
    """Write a judgement's files, show it, and return its exit code."""
    from loaderbench.reports import gate_outputs, gate_terminal

    write(gate_outputs.outputs(found), folder)
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(gate_terminal.verdicts(found))
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
    from loaderbench.reports.gate_terminal import progress

    line = progress(trial)
    print(f"\r\x1b[2K{line}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
    sys.stderr.flush()


def _unused(folder: Path) -> Path:
    """`folder`, or the next of its name that nothing holds."""
    found, count = folder, 1
    while found.exists():
        count += 1
        found = folder.with_name(f"{folder.name}-{count}")
    return found


def _refuse(why: str, code: int = BROKEN) -> int:
    print(f"loaderbench: {why}", file=sys.stderr)
    return code


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does, so that worktrees and processes are cleared away."""

    def leave(*_: object) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

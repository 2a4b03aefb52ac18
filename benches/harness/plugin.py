"""The pytest plugin: hooks and fixtures, each a few lines; the other modules of this package do the work.

Load it with ``-p loaderbench.benches.harness.plugin``, or through ``loaderbench run``.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from loaderbench.benches.harness.cases import grid, pytest_options
from loaderbench.benches.harness.errors import NotRebuiltError, RefusedError
from loaderbench.benches.harness.loading.case_loader import has_sampler
from loaderbench.benches.harness.loading.loader import LoaderConfig, WithoutGetitems, batch_facts
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.ranks.launched_ranks import LaunchedCase
from loaderbench.benches.harness.ranks.ranked_work import Follow
from loaderbench.benches.harness.ranks.ranks import Ranks
from loaderbench.benches.harness.ranks.ray_ranks import LOCAL_ENVIRONMENT, RayCluster
from loaderbench.benches.harness.session.rank_member import RankMember
from loaderbench.benches.harness.session.session import Session, is_case
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import Child, freeze_objects
from loaderbench.benches.harness.system.interruption import with_known_lines
from loaderbench.benches.harness.system.machine import usable_cpus
from loaderbench.benches.harness.training.model_choice import Task, import_for_optimizers


@contextmanager
def _usage_errors(member: RankMember | None = None) -> Iterator[None]:
    """Turn what is refused into pytest's own error for that: one line, exit code 4, no traceback.

    The other ranks of a launch, of which this one is a `member`, are stopped too.
    """
    try:
        yield
    except RefusedError as error:
        if member is not None:
            member.tell(str(error))
            if member.is_follower:  # rank 0 says it; an error of usage would be printed, whatever is silenced
                pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
        raise pytest.UsageError(str(error)) from error


def pytest_addoption(parser: pytest.Parser) -> None:
    pytest_options.declare(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("python_files", "bench_*.py")
    config.addinivalue_line("python_functions", "bench_*")
    config.addinivalue_line(
        "markers",
        "sweep(**settings, together, rounds, expected_s): the values of settings that the command line does not name, "
        "the usual one first; settings of which every combination is measured; how many rounds; roughly how many "
        "seconds a case takes, for the estimate of the time left.",
    )
    # A case that fails in its warm-up never reached the clock: its failure says why, and needs no further warning.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used at all")
    with _usage_errors():
        session = Session.from_pytest(config)
    config.pluginmanager.register(session, Session.NAME)
    if session.member is not None:
        config.pluginmanager.register(session.member, "loaderbench-ranks")


def pytest_sessionstart(session: pytest.Session) -> None:
    freeze_objects()
    with _usage_errors(Session.of(session.config).member):
        Session.of(session.config).options.resolve()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "measure" not in metafunc.fixturenames:
        return
    try:
        grid.parametrize(metafunc, Session.of(metafunc.config).options)
    except RefusedError as error:
        raise pytest.Collector.CollectError(str(error)) from error  # shown without a traceback


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    with _usage_errors(Session.of(config).member):
        Session.of(config).plan(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    with Session.of(session.config).interruption:
        try:
            return (yield)
        except KeyboardInterrupt as interrupt:
            raise with_known_lines(interrupt)  # noqa: B904 - it is the same one


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    Session.of(item.config).begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    Session.of(item.config).note(item, report, call)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:  # noqa: ARG001 - pytest's name for it
    try:
        yield
    except NotRebuiltError as error:
        pytest.skip(str(error))


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    return Session.of(config).status(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.exitstatus = Session.of(session.config).close(session.exitstatus)
    Session.of(session.config).peers.leave()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := Session.of(terminalreporter.config).summary():
        terminalreporter.section("loaderbench")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info["loaderbench"] = machine.facts()


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    Session.of(config).sign(output_json)


@pytest.fixture
def bench_options(request: pytest.FixtureRequest) -> pytest_options.Options:
    """What this session measures."""
    return Session.of(request.config).options


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where batches are placed."""
    return torch.device(request.param)


@pytest.fixture
def dataset(request: pytest.FixtureRequest, bench_options: pytest_options.Options, fetch: str) -> Subject:
    """The dataset of this case, checked; with ``fetch="getitem"`` its ``__getitems__`` is hidden."""
    subject = bench_options.datasets.subject(request.param)
    if has_sampler(request.node.callspec.params):
        subject = subject.whole()
    one_by_one = fetch == "getitem" and subject.is_batched
    return replace(subject, dataset=WithoutGetitems(subject.dataset)) if one_by_one else subject


@pytest.fixture
def loader(request: pytest.FixtureRequest, bench_options: pytest_options.Options) -> LoaderConfig:
    """The DataLoader's arguments in this case: every setting of the vocabulary that is one, by its name."""
    return bench_options.loader(request.node.callspec.params)


@pytest.fixture
def task(dataset: Subject, device: torch.device, bench_options: pytest_options.Options) -> Callable[[], Task]:
    """Makes the model to train on this dataset, in the case's own process; the case is skipped where there is none."""
    if not bench_options.model.is_known_for(dataset):
        pytest.skip(f"no model for {dataset.name}: name one with --model module:Net")
    import_for_optimizers()
    return partial(bench_options.model.task, dataset, device)


@pytest.fixture
def make_task(dataset: Subject, bench_options: pytest_options.Options) -> Callable[..., Task]:
    """Makes the model to train on a device, as `task` does; what is called in a step may be wrapped (``wrap``)."""
    if not bench_options.model.is_known_for(dataset):
        pytest.skip(f"no model for {dataset.name}: name one with --model module:Net")
    import_for_optimizers()
    return partial(bench_options.model.task, dataset)


@pytest.fixture
def ranks(
    request: pytest.FixtureRequest,
    bench_options: pytest_options.Options,
    nproc_per_node: int,
    pad_ranks: bool,
    launcher: str,
) -> Ranks:
    """The ranks of this case."""
    return Ranks(
        ray_address=request.getfixturevalue("ray_address") if launcher == "ray" else "",
        nproc_per_node=nproc_per_node,
        pad=pad_ranks,
        sampling=request.node.callspec.params["sampling"],
        timeout_s=bench_options.rank_timeout_s,
        launched=_launched(request),
    )


@pytest.fixture(scope="session")
def ray_address(request: pytest.FixtureRequest) -> Iterator[str]:
    """The cluster of Ray that RAY_ADDRESS names, or one of this host alone, for all cases of the session."""
    if address := os.environ.get("RAY_ADDRESS"):
        yield address
        return
    for name, value in LOCAL_ENVIRONMENT.items():  # of the cluster, and of all cases that connect to it
        os.environ.setdefault(name, value)
    cases: list[Any] = [item for item in request.session.items if is_case(item)]
    counts = [case.callspec.params.get("nproc_per_node", 1) for case in cases]
    with Child(RayCluster(max(usable_cpus(), *counts))) as cluster:
        yield cluster.call("address")


def _launched(request: pytest.FixtureRequest) -> LaunchedCase | None:
    """Return the case as a launcher's ranks see it; None without a launcher."""
    session = Session.of(request.config)
    if session.member is None:
        return None
    return session.member.case(request.node.name, session.options.rank_timeout_s)


@pytest.fixture
def accelerator(device: torch.device) -> torch.device:
    """The device of a bench that has no case on a CPU."""
    return device


@pytest.fixture
def measure(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Measure | Follow:
    """Times `Work`, for as many rounds as asked, and leaves what they showed in the record."""
    session = Session.of(request.config)
    launched = _launched(request)
    if launched is not None and session.is_follower:
        return Follow(report_death=launched.report_death)
    case = session.described(request.node)
    rounds = grid.rounds(request.node, session.options)
    benchmark.group = case["bench"]
    benchmark.extra_info["bench"] = case["bench"]
    return Measure(
        benchmark=benchmark,
        settings=case["settings"],
        facts=case_facts(request) if "loader" in request.fixturenames else {},
        rounds=rounds,
        round_s=session.options.round_s,
        case_s=session.options.case_s,
        warmed_up=lambda metrics: session.on_warm_up(request.node.name, metrics),
        before_round=lambda done: session.before_round(request.node.name, done, rounds),
        before_end=lambda: session.before_end(request.node.name),
        placement=session.options.placement,
        agree=session.peers.agree,
    )


def case_facts(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the record says of the case's dataset and of one batch."""
    subject: Subject = request.getfixturevalue("dataset")
    return {**subject.facts, **batch_facts(subject.dataset, request.getfixturevalue("loader"))}

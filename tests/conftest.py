"""What the tests share: a folder to run the suite in, as users do, watchers of what a test leaves, and a browser."""

import fcntl
import gc
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import hypothesis
import psutil
import pytest
import torch
from kept_huge_pages import keep_huge_pages
from preloaded import Running, environment, share_server
from pytest_benchmark.plugin import get_cpu_info
from waiting import until

from loaderbench.benches.harness.system.huge_pages import use_huge_pages

# How long an example takes is the machine's affair: no test asserts seconds.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# xdist names its worker in the environment. A suite that a test starts is none, and pytest-benchmark would not time it.
WORKER = os.environ.pop("PYTEST_XDIST_WORKER", None)

MADE_UP = ("made_up_runs", "made_up_rates", "made_up_gates", "made_up_explanations", "made_up_documents")
pytest_plugins = ["pytester"]

CLONE = Path(__file__).parents[1]
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PLUGIN = ("-p", "loaderbench.benches.harness.plugin")
MARK = "LOADERBENCH_TEST"  # in the environment of every process that a test's suite starts
SETTLE_S = 20.0  # what is on its way out has gone by then, on a busy machine too
GONE_S = 20.0  # torch's workers look every 5 s whether their parent is alive


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run of the suite that has ended."""

    ret: int
    out: str
    err: str
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def ours(self) -> dict[str, Any]:
        return self.record["loaderbench"]

    @property
    def benchmarks(self) -> dict[str, dict[str, Any]]:
        return {case["name"]: case for case in self.record["benchmarks"]}

    @property
    def failed(self) -> dict[str, str]:
        return {case["name"]: case["reason"] for case in self.ours["failed"]}

    def extra(self, name: str) -> dict[str, Any]:
        return self.benchmarks[name]["extra_info"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A user's project: a folder with modules of theirs, from which the suite is run."""

    folder: Path
    mark: str
    benches: str = "loaderbench.benches"
    sessions: set[int] = field(default_factory=set)  # ids of those of its programs

    def write(self, **modules: str) -> "Place":
        """Put `modules` there, by name."""
        for name, source in modules.items():
            (self.folder / f"{name}.py").write_text(source)
        return self

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", *PLUGIN, "--pyargs", self.benches, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return environment(**{MARK: self.mark})

    def run(self, *arguments: str, into: str = "run", env: Mapping[str, str] | None = None) -> Ended:
        """Run the suite to its end, its record in the folder `into`."""
        return self.call(self.command("--run-dir", into, *arguments), into=into, env=env)

    def call(
        self, command: list[str], *, into: str = "run", env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Ended:
        """Run `command` to its end, here or in `cwd`."""
        with self._running(command, env=env, cwd=cwd) as running:
            return Ended(ret=running.wait(), out=running.out, err=running.err, folder=self.folder / into)

    def start(self, *arguments: str, into: str = "run") -> Running:
        """Start the suite, as a shell with a terminal would; all that it prints is in `out`."""
        return self.begin(self.command("--run-dir", into, *arguments))

    def begin(self, command: list[str]) -> Running:
        """Start `command`, as a shell with a terminal would; all that it prints is in `out`."""
        return self._running(command, is_joined=True)

    def _running(
        self,
        command: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        is_joined: bool = False,
    ) -> Running:
        variables = {**self.environment, **(env or {})}
        running = Running(command, cwd=cwd or self.folder, env=variables, is_joined=is_joined)
        self.sessions.add(running.pid)
        return running

    def processes(self) -> list[psutil.Process]:
        """Live processes that a run of this place started, whoever is their parent now."""
        return [process for process in psutil.process_iter() if self._has(process)]

    def _has(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, ProcessLookupError):  # gone, or someone else's
            ours = os.getsid(process.pid) in self.sessions or process.environ().get(MARK) == self.mark
            return ours and _is_live(process)
        return False

    def soon(self, condition: Callable[[], bool]) -> bool:
        """Whether `condition` holds, by now or soon."""
        return until(condition)

    def has(self, name: str) -> bool:
        """Whether a run has put a file of that name there, by now or soon."""
        return self.soon((self.folder / name).exists)

    def emptied(self) -> bool:
        """Whether all of them are gone, now or soon."""
        return until(lambda: not self.processes(), GONE_S)


def pytest_configure(config: pytest.Config) -> None:
    """Import the fixtures of made-up data; where processes of xdist do so, start what they fork programs from."""
    if WORKER is None and config.getoption("numprocesses", None):
        if sys.platform == "linux":
            folder = Path(mkdtemp(prefix="loaderbench-tests-"))
            config.add_cleanup(lambda: shutil.rmtree(folder))
            share_server(folder / "server")
        return
    for name in MADE_UP:
        config.pluginmanager.import_plugin(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of this folder, which take longest: two processes that share all files then end together."""
    items.sort(key=lambda item: item.path.parent != CLONE / "tests")


def pytest_collection_finish() -> None:
    """Collect garbage once: all that torch and the tests' modules hold by now need not be looked at at each time.

    Every suite that a test runs in this process, and every case in a process forked from it, collects garbage.
    """
    gc.collect()
    gc.freeze()
    use_huge_pages()


def pytest_runtest_setup() -> None:
    keep_huge_pages()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if WORKER else own


@pytest.fixture(scope="session")
def once(shared: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """Make something in the first process that needs it, of a name; the others read it, as JSON, when it is there."""

    def made(name: str, make: Callable[[], Any]) -> Any:
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = shared / f"{name}.json"
            if not file.exists():
                file.write_text(json.dumps(make()))
            return json.loads(file.read_text())

    return made


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell has Ctrl-C ignored by what it runs in its background; tests press it there too."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(shared: Path) -> Iterator[None]:
    """Our pictures are made once for all tests, those of another process too, and in no one's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOADERBENCH_CACHE", str(shared / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_look_at_the_cpu() -> Iterator[None]:
    """pytest-benchmark asks the machine for its CPU at every run, for a quarter of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_benchmark.plugin.get_cpu_info", cache(get_cpu_info))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small steps on a busy machine: threads that wait for each other would take seconds."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    """Users' projects, each new, for worlds that several tests look at."""
    return lambda name: Place(folder=tmp_path_factory.mktemp(name), mark=uuid4().hex)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A user's project; a process that was started in it may outlive the test by no more than it takes to end."""
    made = Place(folder=tmp_path, mark=uuid4().hex)
    yield made
    left = [] if made.emptied() else made.processes()
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    assert not left, f"left running: {left}"


@pytest.fixture
def no_strays() -> Iterator[None]:
    """The test leaves no live child process behind."""
    before = set(_children())
    yield
    _let_go()
    left = set(_children()) - before
    assert until(lambda: not left.intersection(_children()), SETTLE_S), f"left running: {left}"


@pytest.fixture
def no_shared_memory() -> Iterator[None]:
    """The test leaves nothing in /dev/shm; what others put there meanwhile does not stay as long."""
    before = set(os.listdir("/dev/shm"))
    yield
    _let_go()
    left = set(os.listdir("/dev/shm")) - before
    assert until(lambda: not left.intersection(os.listdir("/dev/shm")), SETTLE_S), f"left in /dev/shm: {left}"


@pytest.fixture
def no_descriptors() -> Iterator[None]:
    """The test leaves no descriptor open; a thread that feeds a queue closes its end a moment after the loader."""
    before = _descriptors()
    yield
    _let_go()
    left = _descriptors() - before
    assert until(lambda: not left.intersection(_descriptors()), SETTLE_S), f"left open: {left}"


@pytest.fixture
def no_leaks(no_strays: None, no_shared_memory: None, no_descriptors: None) -> None:
    """The test leaves no process, no shared memory and no descriptor behind."""


def _let_go() -> None:
    """Drop the last failure, which pytest keeps for a debugger until the next test, and with it the failed loader."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
    gc.collect()


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if _is_live(child)]


def _is_live(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _descriptors() -> set[tuple[str, str]]:
    result = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed them
            result.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return result


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser: pip install selenium")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with its chromedriver: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for option in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(option)
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Callable[..., Any]:
    """Open a page from disk, on a desktop unless told otherwise."""

    def open_page(content: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Any:
        (tmp_path / "report.html").write_text(content, encoding="utf-8")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    return open_page


def luminance(colour: str) -> float:
    channels = [int(channel) / 255 for channel in re.findall(r"\d+", colour)[:3]]
    linear = [channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.fixture(scope="session")
def contrast() -> Callable[..., float]:
    """By how much an element's letters stand out from the page's paper, as WCAG 2.2 defines it."""

    def of(browser: Any, selector: str, letters: str = "color") -> float:
        style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        of_both = (selector, letters), ("body", "backgroundColor")
        dark, light = sorted(luminance(browser.execute_script(style, *entry)) for entry in of_both)
        return (light + 0.05) / (dark + 0.05)

    return of

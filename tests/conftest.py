"""The fixtures that tests share."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import itertools
import os
import resource
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from conformance.cases import load
from conformance.model.errors import CaseError
from conformance.places import CASES
from tests.support.cli import Ran, Run

# A busy machine does not fail a test.
settings.register_profile("conformance", deadline=None)
settings.load_profile("conformance")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: many tests wait for a process that hangs until its time is up."""
    cores = len(os.sched_getaffinity(0))
    return cores + cores // 2


def pytest_configure() -> None:
    """Read the suite's own cases once in each process: a hundred tests ask for all of them, and none changes one."""
    read = load.read_suite
    own = functools.cache(lambda: read((CASES,)))

    def read_suite(paths: Sequence[Path]) -> tuple[load.Suite, list[CaseError]]:
        if [*paths] != [CASES]:
            return read(paths)
        suite, errors = own()
        return suite, [*errors]

    load.read_suite = read_suite


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests live as long as the process: the collector does not look through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: at the end there are short ones to share. The first worker has the frameworks.

    pytest-xdist gives each worker a stretch of the list, and lets who is through take from the end of another's. All
    frameworks take ten seconds to import, and more than a gigabyte: one worker does so, and the long tests, of which
    those of the yardstick take memory too, are shared out among the others.
    """
    workers = max(2, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    begun = sorted(items, key=lambda item: not _is_long(item))
    framework = [item for item in begun if item.get_closest_marker("framework") is not None]
    others = [item for item in begun if item.get_closest_marker("framework") is None]
    long = [item for item in others if _is_long(item)]
    short = iter(others[len(long) :])
    found: list[pytest.Item] = []
    for number in range(workers):
        begins = long[number - 1 :: workers - 1] if number else framework
        stretch = (len(items) - len(found)) // (workers - number)
        found += [*begins, *itertools.islice(short, max(0, stretch - len(begins)))]
    items[:] = [*found, *short]


def _is_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) is not None for name in ("first", "yardstick"))


#: By the name of a worker of pytest-xdist, the most memory that it took, in MiB.
PEAKS: dict[str, int] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker says what it took; what it started, each test answers for."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if peak := getattr(node, "workeroutput", {}).get("peak"):
        PEAKS[node.gateway.id] = peak


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if PEAKS:
        said = ", ".join(f"{name} {peak} MiB" for name, peak in sorted(PEAKS.items()))
        terminalreporter.write_line(f"peak memory of the workers: {said}")


@pytest.fixture(scope="module", autouse=True)
def _executables() -> Iterator[None]:
    """What JAX has compiled for a file of tests is not kept for the next ones: it fills gigabytes."""
    yield
    if (jax := sys.modules.get("jax")) is not None:
        jax.clear_caches()
    _give_back()


def _give_back() -> None:
    """To the system the memory that large arrays have left between small objects, where the C library can (glibc)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture
def conformance(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in this process, from a folder of its own: exit code, standard output, standard error."""
    from conformance.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(each) for each in arguments])
        return Ran(code, *capfd.readouterr())

    return run

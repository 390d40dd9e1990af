"""Running a target: a number of edited files, which can be made again one by one, or hypothesis for some time."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.edits import Edit, drawn, edited, edits
from tests.fuzz.targets import Target

__all__ = ["Figures", "by_number", "by_time", "made"]

#: Seconds of CPU for one file, and bytes by which the process may grow.
MOST_SECONDS = 20.0
MOST_MEMORY = 500 * 2**20


class Hang(BaseException):
    """A file took too long; not an Exception, so that nothing on the way takes it for one of its own."""


@dataclass
class Figures:
    """What came of a run of one target."""

    name: str
    count: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    memory: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        failed = f"{len(self.failures)} failed" if self.failures else "none failed"
        return (
            f"{self.name}: {self.count} files in {self.seconds:.0f} s, the slowest {self.slowest:.2f} s, "
            f"{self.memory / 2**20:.0f} MiB at most, {failed}"
        )


def made(target: Target, seed: int, number: int) -> bytes:
    """The ``number``-th edited file: the same on every machine."""
    draw = random.Random(f"{target.name} {seed} {number}")
    return edited(draw.choice(target.seeds()), drawn(draw), binary=target.binary)


def by_number(target: Target, count: int, seed: int = 0, first: int = 0) -> Figures:
    """``count`` edited files from number ``first`` on; a failure names its number."""
    figures = Figures(target.name)
    before = _peak()
    with _prepared(figures) as folder:
        for number in range(first, first + count):
            data = made(target, seed, number)
            try:
                _checked(target, data, folder, figures)
            except (Exception, Hang) as error:
                figures.failures.append(f"number {number}: {type(error).__name__}: {str(error)[:300]}")
                shutil.rmtree(folder)
                folder.mkdir()
            if figures.memory - before > MOST_MEMORY:
                figures.failures.append(f"number {number}: {figures.memory / 2**20:.0f} MiB")
                break
    return figures


def by_time(target: Target, seconds: float) -> Figures:
    """Edited files that hypothesis draws, for some seconds: what fails is shrunk, and stands in the failure."""
    figures = Figures(target.name)
    end = time.monotonic() + seconds
    seeds = target.seeds()
    with _prepared(figures) as folder:

        @settings(
            max_examples=10**9,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[*HealthCheck],
            print_blob=False,
        )
        @given(st.sampled_from(range(len(seeds))), edits())
        def fuzz(seed: int, changes: list[Edit]) -> None:
            if time.monotonic() > end and not figures.failures:
                raise TimeoutError
            try:
                _checked(target, edited(seeds[seed], changes, binary=target.binary), folder, figures)
            except (Exception, Hang) as error:
                figures.failures.append("")
                shutil.rmtree(folder)
                folder.mkdir()
                raise AssertionError(f"{type(error).__name__}: {str(error)[:300]}") from None

        try:
            fuzz()
        except TimeoutError:
            figures.failures.clear()
        except AssertionError as error:
            figures.failures = [f"{error}\n" + "\n".join(getattr(error, "__notes__", ()))]
    return figures


@contextmanager
def _prepared(figures: Figures) -> Iterator[Path]:
    """A folder to write into; tracebacks are let through, and a file that takes too long is stopped."""
    start = time.monotonic()
    before = os.environ.get("CONFORMANCE_TRACEBACK")
    os.environ["CONFORMANCE_TRACEBACK"] = "1"
    handler = signal.signal(signal.SIGPROF, _stop)
    try:
        with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
            warnings.simplefilter("error")
            yield Path(name)
    finally:
        signal.signal(signal.SIGPROF, handler)
        if before is None:
            del os.environ["CONFORMANCE_TRACEBACK"]
        else:
            os.environ["CONFORMANCE_TRACEBACK"] = before
        figures.seconds = time.monotonic() - start


def _checked(target: Target, data: bytes, folder: Path, figures: Figures) -> None:
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        target.check(data, folder)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        figures.count += 1
        figures.slowest = max(figures.slowest, time.process_time() - start)
        figures.memory = _peak()


def _peak() -> int:
    """Bytes that the process held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {MOST_SECONDS} s")

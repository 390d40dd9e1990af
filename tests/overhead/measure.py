"""The measurements: each returns figures, none judges them."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conformance.cases.load import load_suite
from conformance.model.case import Case
from conformance.model.problem import Problem
from conformance.model.records import Header, Outcome
from conformance.numerics.formats import DtypeName, round_to
from conformance.oracle.block import Block
from conformance.oracle.truth import Truth
from conformance.results.store import Writer
from conformance.run.conduct import Conductor, Participant
from conformance.run.launch import subject_of
from conformance.run.plan import Plan
from conformance.worker.executor import Session
from tests.overhead.generated import pytest_file, write_cases

__all__ = ["Figure", "check_time", "oracle_speed", "scaling", "startup"]


@dataclass(frozen=True)
class Figure:
    """One line of the report: what, the value with its unit, and what was asked of it."""

    what: str
    value: str
    asked: str = ""


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def startup(folder: Path, rounds: int = 9) -> list[Figure]:
    """``conformance list`` of 1,000 cases against ``import numpy``, whole processes in turn; medians."""
    cases = write_cases(folder / "thousand.yaml", 1000)
    listing = [sys.executable, "-m", "conformance", "list", "cases", "--cases", str(cases)]
    numpy = [sys.executable, "-c", "import numpy"]
    _seconds(listing), _seconds(numpy)
    pairs = [(_seconds(listing), _seconds(numpy)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(values) for values in zip(*pairs, strict=True))
    return [
        Figure("`conformance list`, 1,000 cases, whole process", f"{a * 1e3:.0f} ms"),
        Figure("`python -c 'import numpy'`", f"{b * 1e3:.0f} ms"),
        Figure("ratio", f"{ratio:.2f}", "at most 4"),
    ]


def check_time(folder: Path, count: int = 6000) -> list[Figure]:
    """Harness time a check (value and gradient, torch, float32, certified) beside a pytest file's, in one run."""
    harness, framework = [], []
    for part in range(3):
        wall, inside = _run_checks(folder / f"checks-{part}", count)
        harness.append((wall - inside) / count)
        framework.append(inside / count)
    many, one = folder / "test_many.py", folder / "test_one.py"
    pytest_file(many, 1000)
    pytest_file(one, 1)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    by_pytest = statistics.median(
        (_seconds([*command, str(many)]) - _seconds([*command, str(one)])) / 999 for _ in range(3)
    )
    ours = statistics.median(harness)
    return [
        Figure("harness, a check of value and gradient", f"{ours * 1e3:.3f} ms", "at most 0.150 ms"),
        Figure(
            "the framework's own calls in it (value, value and gradient, repeat)",
            f"{statistics.median(framework) * 1e3:.3f} ms",
        ),
        Figure("a parametrised pytest file with assert_close, a check", f"{by_pytest * 1e3:.3f} ms"),
        Figure("ratio pytest / harness", f"{by_pytest / ours:.1f}"),
    ]


def _run_checks(folder: Path, count: int) -> tuple[float, float]:
    """Wall seconds of a run over ``count`` cases, start-up excluded, and the framework's own part."""
    folder.mkdir()
    suite = load_suite([write_cases(folder / "cases.yaml", count)])
    inside = 0.0

    def record(outcomes: list[Outcome]) -> None:
        nonlocal inside
        inside += sum(each.seconds for each in outcomes if each.check == "value")
        writer.write(outcomes)

    with Writer(folder / "run", Header(suite="overhead", started="")) as writer, Session("torch") as session:
        session.describe()
        participant = Participant("torch", session, lambda description: subject_of("torch", description))
        conductor = Conductor(Plan(suite.entries, identities=False), [participant], record, writer.describe)
        begin = time.perf_counter()
        conductor.run()
        wall = time.perf_counter() - begin
    verdicts = conductor.counts["torch"]
    assert verdicts["pass"] == verdicts.total(), f"every generated check passes: {verdicts}"
    return wall, inside


def _problem(positions: int, classes: int, dtype: DtypeName) -> Problem:
    rng = np.random.default_rng(positions + classes)
    logits = round_to(rng.normal(size=(positions, classes)) * 3, dtype)
    targets = rng.integers(0, classes, positions)
    upstream = {"mean": round_to(np.asarray(-1.375), dtype)}
    case = Case(id="speed", why="speed", op="cross_entropy")
    return Problem(
        case,
        "speed",
        dtype,
        "contiguous",
        "cross_entropy",
        logits,
        targets,
        "indices",
        None,
        1,
        1,
        None,
        0.0,
        ("mean",),
        upstream,  # type: ignore[arg-type]
    )


def oracle_speed() -> list[Figure]:
    """Logits a second and core, loss and gradient together, in blocks as a run forms them."""
    figures = []
    for dtype, asked in (("float32", 20.0), ("float64", 1.0)):
        for positions, classes in ((64, 1000), (1024, 10), (4, 32000)):
            problem = _problem(positions, classes, dtype)  # type: ignore[arg-type]
            rates = []
            for _ in range(5):
                rounds = 20 if dtype == "float32" else 2
                begin = time.process_time()
                for _ in range(rounds):
                    truth = Truth(Block((problem,)))
                    truth.value("mean")
                    truth.gradient("mean")
                rates.append(rounds * positions * classes / (time.process_time() - begin))
            rate = statistics.median(rates) / 1e6
            name = f"oracle, {dtype}, {positions} × {classes:,}, loss and gradient"
            figures.append(Figure(name, f"{rate:.1f} million logits/s", f"at least {asked:g}"))
    return figures


def scaling(folder: Path) -> list[Figure]:
    """Time and the driver's peak memory of whole runs over 1,000 and 10,000 generated cases on NumPy."""
    found = {}
    for count in (1000, 10_000):
        cases = write_cases(folder / f"scaling-{count}.yaml", count)
        script = (
            "import resource, sys, time; from conformance.cli import main; begin = time.perf_counter(); "
            f"code = main(['run', '-b', 'numpy', '--cases', {str(cases)!r}, "
            f"'--output', {str(folder / f'out-{count}')!r}, '--no-identities', '-q', '--format', 'json']); "
            "print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); "
            "sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        seconds, peak = done.stderr.split()[-2:]
        found[count] = (float(seconds), float(peak) / 1024)
    (short, low), (long, high) = found[1000], found[10_000]
    return [
        Figure("whole run on NumPy, 1,000 cases", f"{short:.2f} s, driver peak {low:.0f} MiB"),
        Figure("whole run on NumPy, 10,000 cases", f"{long:.2f} s, driver peak {high:.0f} MiB"),
        Figure("ratio of times", f"{long / short:.1f}", "at most 10: linear"),
        Figure("ratio of memory", f"{high / low:.2f}", "about 1: flat"),
    ]

"""The measurements: each returns figures, none judges them."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from conformance.cases.load import load_suite
from conformance.model.case import Case
from conformance.model.problem import Problem
from conformance.model.records import Header
from conformance.numerics.formats import DtypeName, round_to
from conformance.oracle.block import Block
from conformance.oracle.truth import Truth
from conformance.results.environment import available_cores
from conformance.results.store import Writer
from conformance.run.conduct import Conductor
from conformance.run.executors import executor_for
from conformance.run.plan import Plan
from conformance.run.tasks import Terms
from conformance.worker.find import find_backends
from tests.overhead.generated import FIXED_COST, pytest_file, write_cases
from tests.support.figures import Figure

__all__ = [
    "check_time",
    "default_run",
    "fixed_cost",
    "oracle_speed",
    "run_cost",
    "scaling",
    "startup",
    "timed_run",
    "workers",
]

FIXED_CASES = 2000  # of a backend of fixed cost: some 16 s for each of two workers


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
        Figure("ratio", f"{ratio:.2f}", "at most 1.9"),
    ]


def check_time(folder: Path, count: int = 6000) -> list[Figure]:
    """Harness time a check (value and gradient, torch, float32, certified) beside a pytest file's, in one run."""
    found = [_run_checks(folder / f"checks-{part}", count) for part in range(3)]
    ours, framework, reading = (statistics.median(each) for each in zip(*found, strict=True))
    many, one = folder / "test_many.py", folder / "test_one.py"
    pytest_file(many, 1000)
    pytest_file(one, 1)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    by_pytest = statistics.median(
        (_seconds([*command, str(many)]) - _seconds([*command, str(one)])) / 999 for _ in range(3)
    )
    return [
        Figure("harness, a check of value and gradient", f"{ours * 1e3:.3f} ms", "at most 0.080 ms"),
        Figure(
            "beside it, the framework's own calls (value, value and gradient, repeat)",
            f"{framework * 1e3:.3f} ms",
        ),
        Figure("reading a case, once for all backends", f"{reading * 1e3:.3f} ms"),
        Figure("a parametrised pytest file with assert_close, a check, in one process", f"{by_pytest * 1e3:.3f} ms"),
        Figure("ratio pytest / harness", f"{by_pytest / ours:.1f}"),
    ]


def _run_checks(folder: Path, count: int) -> tuple[float, float, float]:
    """Wall seconds a check of the harness and of the framework's own calls, and those that reading a case takes.

    What a check adds to a run that is under way: the time begins when each worker has done something, and what the
    workers spend at the same time counts once, the framework's calls like the rest.
    """
    folder.mkdir()
    begin = time.perf_counter()
    entries = load_suite((write_cases(folder / "cases.yaml", count),)).entries
    reading = time.perf_counter() - begin
    jobs = available_cores()
    blocks: list[tuple[float, bytes]] = []

    def record(lines: bytes, verdicts: Counter[str]) -> None:
        writer.append(lines, verdicts)
        blocks.append((time.perf_counter(), lines))

    header = Header(suite="overhead", started="")
    with Writer(folder / "run", header) as writer, contextlib.closing(executor_for(jobs, Terms())) as executor:
        plan = Plan(entries, identities=False)
        Conductor(plan, find_backends(("torch",)), executor, record, writer.describe).run()
    assert set(writer.counts) == {"pass"}, f"every generated check passes: {writer.counts}"
    (begin, _), *others = blocks[2 * jobs - 1 :]
    later = [json.loads(line) for _, lines in others for line in lines.splitlines()]
    calls = [each["seconds"] for each in later if each.get("check") == "value"]
    wall, framework = (others[-1][0] - begin) / len(calls), sum(calls) / len(calls) / jobs
    return wall - framework, framework, reading / count


def timed_run(backend: str, arguments: Sequence[str], output: Path) -> tuple[float, list[dict[str, Any]]]:
    """Wall seconds of ``conformance run`` as a whole process, and the outcomes that it recorded."""
    command = [sys.executable, "-m", "conformance", "run", "-b", backend, "--no-identities", "--no-site", "-q"]
    begin = time.perf_counter()
    done = subprocess.run(
        [*command, "--output", str(output), "--replace", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - begin
    assert done.returncode in (0, 1), done.stderr
    lines = (output / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    return wall, [line for line in map(json.loads, lines) if "verdict" in line]


def workers(folder: Path, rounds: int = 3) -> list[Figure]:
    """One backend with one worker and with two, in turn: all cases on NumPy, and calls of a fixed cost."""
    return [*_speed_up("NumPy, all cases", "numpy", [], folder, rounds, 1.7), *fixed_cost(folder)]


def fixed_cost(
    folder: Path, rounds: int = 2, executor: Sequence[str] = (), asked: float = 1.8, count: int = FIXED_CASES
) -> list[Figure]:
    """The same for a backend whose calls all take as long, with the options ``executor``.

    Long enough for what it is to stand for: reading the cases and the imports, about a second, are a small part of it.
    """
    file = folder / "fixed_cost.py"
    file.write_text(FIXED_COST, encoding="utf-8")
    one = ["--cases", str(write_cases(folder / "one.yaml", 1)), *executor]
    many = ["--cases", str(write_cases(folder / "fixed.yaml", count)), *executor]
    starts = {jobs: timed_run(str(file), [*one, "--jobs", str(jobs)], folder / "start")[0] for jobs in (1, 2)}
    name = " ".join([f"a backend of 5 ms a call, {count:,} cases", *executor])
    return _speed_up(name, str(file), many, folder, rounds, asked, starts)


def _speed_up(
    name: str,
    backend: str,
    arguments: Sequence[str],
    folder: Path,
    rounds: int,
    asked: float,
    starts: Mapping[int, float] | None = None,
) -> list[Figure]:
    """Whole processes in turn, the shortest of each; ``starts`` are the seconds that runs of next to nothing take."""
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count, found in times.items():
            found.append(timed_run(backend, [*arguments, "--jobs", str(count)], folder / f"workers-{count}")[0])
    one, two = (min(found) for found in times.values())
    figures = [
        Figure(f"{name}: one worker, two workers", f"{one:.1f} s, {two:.1f} s"),
        Figure("speed-up by the second worker, start and end included", f"{one / two:.2f}", f"at least {asked}"),
    ]
    if starts:
        rest = (one - starts[1]) / (two - starts[2])
        figures.append(Figure("a run of one case: one worker, two workers", f"{starts[1]:.1f} s, {starts[2]:.1f} s"))
        figures.append(Figure("speed-up without these", f"{rest:.2f}"))
    return figures


def default_run(folder: Path) -> list[Figure]:
    """The default run: every installed backend, all cases and identities, no site."""
    command = [sys.executable, "-m", "conformance", "run", "--no-site", "-q", "--output", str(folder / "default")]
    begin = time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    lines = (folder / "default" / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    found = [line for line in map(json.loads, lines) if "verdict" in line]
    backends = len({each["backend"] for each in found})
    what = f"default run: {backends} backends, all cases and identities, {len(found):,} outcomes"
    return [Figure(what, f"{seconds:.0f} s")]


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


class RunCost(NamedTuple):
    """What a run takes: seconds, those of the processor by all its processes, and its own process's peak in MiB."""

    seconds: float
    processor: float
    peak: float


def run_cost(cases: Path, output: Path) -> RunCost:
    """A run on NumPy in a process of its own, case files to summary; start-up is not in its seconds."""
    script = (
        "import resource, sys, time; from conformance.cli import main; begin = time.perf_counter(); "
        f"code = main(['run', '-b', 'numpy', '--cases', {str(cases)!r}, "
        f"'--output', {str(output)!r}, '--no-identities', '-q', '--format', 'json']); "
        "own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)); "
        "processor = sum(each.ru_utime + each.ru_stime for each in (own, others)); "
        "print(time.perf_counter() - begin, processor, own.ru_maxrss, file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    seconds, processor, peak = map(float, done.stderr.split()[-3:])
    return RunCost(seconds, processor, peak / 1024)


def scaling(folder: Path) -> list[Figure]:
    """Time and the driver's peak memory of whole runs over 1,000 and 10,000 generated cases on NumPy."""
    found = {}
    for count in (1000, 10_000):
        cases = write_cases(folder / f"scaling-{count}.yaml", count)
        found[count] = run_cost(cases, folder / f"out-{count}")
    (short, _, low), (long, _, high) = found[1000], found[10_000]
    return [
        Figure("whole run on NumPy, 1,000 cases", f"{short:.2f} s, driver peak {low:.0f} MiB"),
        Figure("whole run on NumPy, 10,000 cases", f"{long:.2f} s, driver peak {high:.0f} MiB"),
        Figure("ratio of times", f"{long / short:.1f}", "at most 10: linear"),
        Figure("ratio of memory", f"{high / low:.2f}", "about 1: flat"),
    ]

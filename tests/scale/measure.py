"""The measurements of one machine: each gives figures, none judges them."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.load import load_suite
from conformance.places import CASES
from conformance.results.store import read_run
from conformance.run.chunk import unit_keys
from conformance.run.costs import costs_of
from conformance.run.executors import Executor, LocalExecutor
from conformance.run.plan import Plan, Portion
from conformance.run.shards import partition
from conformance.run.tasks import Done, Task, Terms
from conformance.worker.find import find_backends
from tests.overhead.generated import write_cases
from tests.overhead.measure import run_cost, timed_run
from tests.support.figures import Figure
from tests.support.inline import InlineExecutor

__all__ = ["dispatch", "killed_workers", "many_cases", "shards"]

#: Cases of a generated file, which may not be larger than 16 MiB.
IN_A_FILE = 5000


#: A backend that waits, as for a device: so a run lasts long, and takes little of the machine.
WAITS = """\
import time

from conformance.backends.numpy import Numpy


class Waits(Numpy):
    def evaluate(self, call, logits):
        time.sleep(0.03)
        return super().evaluate(call, logits)
"""


def generated(folder: Path, count: int) -> Path:
    """A folder of files with ``count`` cases in all."""
    folder.mkdir()
    for first in range(0, count, IN_A_FILE):
        write_cases(folder / f"{first}.yaml", min(IN_A_FILE, count - first), first)
    return folder


def many_cases(folder: Path, counts: Sequence[int] = (25_000, 50_000, 100_000)) -> Iterator[Figure]:
    """Whole runs on NumPy, case files to summary: time, and the peak memory of the process that conducts."""
    found = {}
    for count in counts:
        cases = generated(folder / f"cases-{count}", count)
        found[count] = cost = run_cost(cases, folder / f"many-{count}")
        what = f"run of {count:,} generated cases on NumPy: time, that of the processor, driver's peak memory"
        asked = "at most 500 MiB" if count == counts[-1] else ""
        yield Figure(what, f"{cost.seconds:.0f} s, {cost.processor:.0f} s, {cost.peak:.0f} MiB", asked)
    few, many = counts[0], counts[-1]
    ratio = found[many].processor / found[few].processor
    yield Figure(f"processor time, {many:,} cases over {few:,}", f"{ratio:.2f}", f"about {many / few:g}: linear")


def dispatch(folder: Path, count: int = 200, rounds: int = 3) -> list[Figure]:
    """What a task costs more when an executor has one worker do it than when it is done on the spot, and what a unit.

    A unit is a case in one dtype and layout. The executors are measured in turn; the shortest of each counts.
    """
    entries = load_suite([write_cases(folder / "dispatch.yaml", count)]).entries
    (backend,) = find_backends(("numpy",))
    work = [Task(backend, Portion(number, (entry,), None, False)) for number, entry in enumerate(entries)]
    executors: dict[str, Callable[[], Executor]] = {
        "on the spot": lambda: InlineExecutor(Terms()),
        "locally": lambda: LocalExecutor(1, Terms()),
        "over Dask": _dask,
    }
    turns = [{where: _seconds_a_task(made(), work) for where, made in executors.items()} for _ in range(rounds)]
    seconds = {where: min(turn[where] for turn in turns) for where in executors}
    portions = Plan(load_suite([CASES]).entries).portions
    units = statistics.mean(len(unit_keys(portion, "numpy")) for portion in portions[::4])
    on_the_spot = seconds.pop("on the spot")
    figures = [Figure("a task of one case, done on the spot", f"{on_the_spot * 1e3:.2f} ms")]
    for where, asked in (("locally", "at most 1 ms"), ("over Dask", "at most 3 ms")):
        more = seconds[where] - on_the_spot
        figures.append(Figure(f"dispatch of a task {where}", f"{more * 1e3:.2f} ms"))
        what = f"dispatch of a unit {where}, {units:.0f} of which are in a task of a run of all cases"
        figures.append(Figure(what, f"{more / units * 1e3:.3f} ms", asked))
    return figures


def _seconds_a_task(executor: Executor, work: Sequence[Task]) -> float:
    with contextlib.closing(executor):
        results = (each for each in executor.run(work) if isinstance(each, Done))
        next(results)  # the worker and its backend are up
        begin = time.perf_counter()
        count = sum(1 for _ in results)
        return (time.perf_counter() - begin) / count


def _dask() -> Executor:
    from conformance.run.executors.dask.connect import Fleet
    from conformance.run.executors.dask.executor import DaskExecutor

    return DaskExecutor(Terms(), Fleet(), 1)


def shards(folder: Path, counts: Sequence[int] = (2, 4, 8)) -> list[Figure]:
    """How far shards lie apart: divided by the costs of one run, and by none, and measured by those of another."""
    runs = [folder / f"shards-{number}" for number in (1, 2)]
    for run in runs:
        timed_run("numpy", ["--jobs", "1"], run)
    entries = load_suite([CASES]).entries
    cases = [entry.case for entry in entries]
    costs = [read_run(run).costs["numpy"] for run in runs]
    figures = []
    for by, table, asked in (("a former run", {"numpy": costs[0]}, "at most 10 %"), ("the cases' shapes", {}, "")):
        for count in counts:
            parts = partition(entries, costs_of(cases, table), count).parts
            seconds = [sum(costs[1].get(entry.case.id, 0.0) for entry in part) for part in parts]
            apart = max(abs(each / (sum(seconds) / count) - 1) for each in seconds)
            figures.append(Figure(f"{count} shards by {by}: farthest from the mean", f"{apart:.1%}", asked))
    return figures


def killed_workers(folder: Path, workers: int = 4, every: float = 10.0) -> list[Figure]:
    """A run over Dask, one of whose workers is killed again and again, beside one that is left in peace."""
    file = folder / "waits.py"
    file.write_text(WAITS, encoding="utf-8")
    arguments = ["-b", str(file), "--cases", str(write_cases(folder / "killed.yaml", 1500)), "--no-identities", "-q"]
    command = [sys.executable, "-m", "conformance", "run", *arguments]
    subprocess.run([*command, "--jobs", "8", "--output", str(folder / "peace")], check=True, stdout=subprocess.DEVNULL)
    command += ["--output", str(folder / "killed"), "--executor", "dask", "--jobs", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed, file = 0, folder / "killed" / "outcomes.jsonl"
    while process.poll() is None and not (file.is_file() and b'"outcome"' in file.read_bytes()):
        time.sleep(0.1)  # workers are lost that work, not those that start
    while True:
        try:
            process.wait(every)
            break
        except subprocess.TimeoutExpired:
            for pid in list(_workers(process.pid))[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
    same = _outcomes(folder / "peace") == _outcomes(folder / "killed")
    what = f"one of {workers} Dask workers killed every {every:g} s, {killed} in all: exit code, outcomes"
    return [Figure(what, f"{process.returncode}, {'the same' if same else 'others'}", "0, the same")]


def _workers(parent: int) -> Iterator[int]:
    """The processes below ``parent`` that work for Dask, the oldest first."""
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda each: int(each.name)):
        with contextlib.suppress(OSError, ValueError):
            ancestor = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_text()
            if ancestor == parent and "spawn_main" in command:
                yield int(entry.name)


def _outcomes(run: Path) -> list[bytes]:
    every: list[Any] = [msgspec.structs.replace(each, seconds=0.0, worker="") for each in read_run(run).outcomes]
    return sorted(map(msgspec.json.encode, every))

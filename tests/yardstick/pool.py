"""Shares the work out between processes, and says on standard error how far it is."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from conformance.cases.load import Entry
from tests.yardstick import trial
from tests.yardstick.registry import Kind, kind_of, name_of, suite, title

__all__ = ["by_cases", "by_kills", "false_alarms", "kills", "shared_out"]

#: Shares for each process: more of them balance the load.
SHARES = 4


@dataclass(frozen=True)
class _Job:
    """A function of ``trial`` by name, its backends, and the share of the cases that they are tried on."""

    function: str
    kinds: list[tuple[str, str, str]]
    recorded: Mapping[str, trial.Pair]
    share: tuple[int, int] = (0, 1)


def by_cases(entries: Sequence[Entry], share: int, shares: int) -> list[Entry]:
    """A share of the cases, the large ones dealt out evenly: the oracle works on each case in one share only."""
    return sorted(entries, key=lambda entry: -trial.logits(entry))[share::shares]


def by_kills(kinds: Sequence[Kind], recorded: Mapping[str, trial.Pair], share: int, shares: int) -> list[Kind]:
    """A share of the wrong backends, in which those stand together that the same case kills."""
    pairs = dict.fromkeys(recorded.get(title(kind), ("", "")) for kind in kinds)
    mine = set([*pairs][share::shares])
    return [kind for kind in kinds if recorded.get(title(kind), ("", "")) in mine]


def false_alarms(kinds: Sequence[Kind], processes: int = 0) -> dict[str, list[Any]]:
    """Of each backend that should be right, by title, what is wrongly held against it; shared out by cases."""
    names = [name_of(kind) for kind in kinds]
    count = _processes(processes) * SHARES
    jobs = [_Job("unwanted", names, {}, (share, count)) for share in range(count)] if kinds else []
    found: dict[str, list[Any]] = {title(kind): [] for kind in kinds}
    for part in _run(jobs, processes):
        for name, outcomes in part.items():
            found[name] += outcomes
    return found


def kills(
    function: str, kinds: Sequence[Kind], recorded: Mapping[str, trial.Pair], processes: int = 0
) -> dict[str, Any]:
    """What ``trial.first_kills`` or ``trial.every_kill`` finds; shared out by backends."""
    count = min(len(kinds), _processes(processes) * SHARES)
    shares = [by_kills(kinds, recorded, share, count) for share in range(count)]
    if len({*recorded} & {title(kind) for kind in kinds}) < len(kinds):  # those without a record are alike in cost
        shares = [[*kinds[share::count]] for share in range(count)]
    jobs = [_Job(function, [name_of(kind) for kind in share], recorded) for share in shares if share]
    return {name: found for part in _run(jobs, processes) for name, found in part.items()}


def _processes(wanted: int) -> int:
    return wanted or os.cpu_count() or 1


def _run(jobs: Sequence[_Job], processes: int) -> Iterator[Any]:
    return shared_out(_perform, jobs, jobs[0].function if jobs else "", processes)


def shared_out(perform: Callable[[Any], Any], jobs: Sequence[Any], what: str, processes: int) -> Iterator[Any]:
    """What ``perform``, a function of a module, gives for each job; ``what`` is said beside the progress."""
    if not jobs:
        return
    begin = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(len(jobs), _processes(processes))), context) as pool:
        futures = [pool.submit(perform, job) for job in jobs]
        for done, future in enumerate(as_completed(futures), 1):
            yield future.result()
            sys.stderr.write(f"{time.perf_counter() - begin:5.0f} s: {what}: {done} of {len(jobs)}\n")
            sys.stderr.flush()


def _perform(job: _Job) -> Any:
    kinds, entries = [kind_of(each) for each in job.kinds], by_cases(suite(), *job.share)
    if job.function == "first_kills":
        return trial.first_kills(kinds, entries, job.recorded)
    return getattr(trial, job.function)(kinds, entries)

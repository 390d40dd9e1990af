"""Shares the work out between processes, and says on standard error how far it is."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.cases.load import Entry
from tests.yardstick import trial
from tests.yardstick.record import Record
from tests.yardstick.registry import CASES, Kind, kind_of, name_of, suite, title

__all__ = ["by_cases", "by_kills", "false_alarms", "first_kills", "go_on", "shared_out"]

#: Shares for each process: more of them balance the load.
SHARES = 4
#: The most of each that are put on record together: cases that follow each other, as some are wrong after another one.
LOT_CASES = 150
LOT_BACKENDS = 220


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


def first_kills(kinds: Sequence[Kind], recorded: Mapping[str, trial.Pair], processes: int = 0) -> dict[str, Any]:
    """What ``trial.first_kills`` finds; shared out by backends."""
    count = min(len(kinds), _processes(processes) * SHARES)
    shares = [by_kills(kinds, recorded, share, count) for share in range(count)]
    if len({*recorded} & {title(kind) for kind in kinds}) < len(kinds):  # those without a record are alike in cost
        shares = [[*kinds[share::count]] for share in range(count)]
    jobs = [_Job("first_kills", [name_of(kind) for kind in share], recorded) for share in shares if share]
    return {name: found for part in _run(jobs, processes) for name, found in part.items()}


@dataclass(frozen=True)
class _Lot:
    """Wrong backends that are all to be asked the same cases at one depth."""

    depth: str
    kinds: list[tuple[str, str, str]]
    cases: list[str]


def go_on(record: Record, kinds: Sequence[Kind], entries: Sequence[Entry], processes: int = 0) -> int:
    """Put every kill on record that is not yet: how many cases were asked of how many wrong backends, multiplied.

    Only what is new or has changed is asked, and shared out by cases and by backends.
    """
    record.rewrite()
    by_id = {entry.case.id: entry for entry in entries}
    asked = 0
    for depth in trial.DEPTHS:
        due = [kind for kind in kinds if trial.due_at(depth, record.kills_until(depth, title(kind)), by_id)]
        for lot, kills in shared_out(_perform_lot, [*_lots(record, depth, due, entries)], depth, processes):
            record.add(lot.depth, kills, lot.cases)
            asked += len(kills) * len(lot.cases)
    record.rewrite()
    return asked


def _lots(record: Record, depth: str, kinds: Sequence[Kind], entries: Sequence[Entry]) -> Iterator[_Lot]:
    """Few backends and cases each, so that an interruption loses little."""
    lacking: dict[frozenset[str], list[Kind]] = {}
    for kind in kinds:
        asked = record.asked(depth, title(kind))
        missing = frozenset(entry.case.id for entry in entries if entry.case.id not in asked)
        lacking.setdefault(missing, []).append(kind)
    for cases, group in lacking.items():
        wanted = [entry.case.id for entry in entries if entry.case.id in cases]
        for first in range(0, len(wanted), LOT_CASES):
            names = wanted[first : first + LOT_CASES]
            for start in range(0, len(group), LOT_BACKENDS):
                yield _Lot(depth, [name_of(kind) for kind in group[start : start + LOT_BACKENDS]], names)


def _processes(wanted: int) -> int:
    return wanted or os.cpu_count() or 1


def _run(jobs: Sequence[_Job], processes: int) -> Iterator[Any]:
    return shared_out(_perform, jobs, jobs[0].function if jobs else "", processes)


def shared_out(perform: Callable[[Any], Any], jobs: Sequence[Any], what: str, processes: int) -> Iterator[Any]:
    """What ``perform``, a function of a module, gives for each job; ``what`` is said beside the progress."""
    if not jobs:
        return
    if processes == 1:
        yield from map(perform, jobs)
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
    return trial.unwanted(kinds, entries)


def _perform_lot(lot: _Lot) -> tuple[_Lot, dict[str, list[trial.Kill]]]:
    wanted = {*lot.cases}
    entries = [entry for entry in _suite(os.environ.get(CASES)) if entry.case.id in wanted]
    return lot, trial.kills_at(lot.depth, [kind_of(each) for each in lot.kinds], entries)


@cache
def _suite(path: str | None) -> Sequence[Entry]:
    """Read once in a process; ``path`` is what :func:`suite` reads, if not the suite's own."""
    return suite()

"""Shares the backends out between processes, and says on standard error how far it is."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from tests.yardstick import trial
from tests.yardstick.registry import Kind, kind_of, name_of, suite

__all__ = ["in_parallel"]

#: Shares for each process: more of them balance the load, and each has the oracle begin anew.
SHARES = 4


def in_parallel(jobs: Sequence[tuple[str, Sequence[Kind]]], processes: int = 0) -> list[tuple[str, Any]]:
    """The results of ``jobs``, each a function of ``trial`` by name and its backends, over the whole suite.

    The backends of a job are shared out between ``processes``, as many as there are cores unless stated; each share's
    result comes with the name of its job.
    """
    cores = processes or os.cpu_count() or 1
    tasks = [(name, [name_of(kind) for kind in share]) for name, kinds in jobs for share in _shares(kinds, cores)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(len(tasks), cores)), context) as pool:
        futures = [pool.submit(_perform, *task) for task in tasks]
        return list(_told(futures, sum(len(kinds) for _, kinds in tasks)))


def _shares(kinds: Sequence[Kind], cores: int) -> Iterator[Sequence[Kind]]:
    """Interleaved, as neighbours are alike in cost."""
    count = min(len(kinds), cores * (SHARES if len(kinds) > 50 else 1))
    return (kinds[start::count] for start in range(count))


def _told(futures: Sequence[Any], total: int) -> Iterator[tuple[str, Any]]:
    begin, done = time.perf_counter(), 0
    for future in as_completed(futures):
        name, count, result = future.result()
        done += count
        sys.stderr.write(f"{time.perf_counter() - begin:5.0f} s: {done} of {total} backends\n")
        sys.stderr.flush()
        yield name, result


def _perform(name: str, kinds: Sequence[tuple[str, str, str]]) -> tuple[str, int, Any]:
    result = getattr(trial, name)([kind_of(each) for each in kinds], suite())
    return name, len(kinds), result

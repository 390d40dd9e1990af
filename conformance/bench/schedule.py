"""Which process times what, and when: interleaved, shuffled, and the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from conformance.bench.orders import BenchEntry, Job
from conformance.bench.workload import Cache, Contract, Workload

__all__ = ["BANDWIDTH", "entry_kinds", "schedule"]

#: The name under which the peak bandwidth stands in a schedule.
BANDWIDTH = "peak bandwidth"


def entry_kinds(
    workloads: Sequence[Workload], contracts: Sequence[Contract] | None, caches: Sequence[Cache] | None
) -> list[tuple[str, Contract, Cache]]:
    """Workload, contract and cache of everything to time, as far as each workload has them.

    A cold cache is timed for one of the chosen contracts only, that which moves most.
    """
    kinds: list[tuple[str, Contract, Cache]] = []
    for workload in workloads:
        chosen = [each for each in workload.contracts if contracts is None or each in contracts]
        for cache in workload.caches if caches is None else caches:
            if cache == "warm":
                kinds += [(workload.id, contract, cache) for contract in chosen]
            elif chosen:
                most = max(chosen, key=workload.floor_bytes)
                kinds.append((workload.id, most, cache))
    return kinds


def schedule(
    backends: Sequence[tuple[str, str]],
    kinds: Sequence[tuple[str, Contract, Cache]],
    replicates: int,
    seed: int,
) -> list[Job]:
    """The processes in the order in which they run.

    ``backends`` are pairs of specification and name. Every replicate is a block in which each backend has one
    process, so that a machine that grows slower does so for all of them; within a block their order is drawn, as is
    that of the entries within a process. The peak bandwidth is measured before each block and at the end.
    """
    draw = random.Random(seed)
    jobs: list[Job] = []
    order = 0
    for replicate in range(replicates):
        jobs.append(Job("", BANDWIDTH, replicate, ()))
        for spec, name in draw.sample(list(backends), len(backends)):
            drawn = draw.sample(list(kinds), len(kinds))
            entries = tuple(BenchEntry(*kind, order + place) for place, kind in enumerate(drawn))
            order += len(entries)
            jobs.append(Job(spec, name, replicate, entries))
    jobs.append(Job("", BANDWIDTH, replicates, ()))
    return jobs

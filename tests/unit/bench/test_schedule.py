"""The schedule: the same for the same seed, interleaved, and complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conformance.bench.schedule import BANDWIDTH, entry_kinds, schedule
from conformance.bench.show import estimate
from conformance.bench.workload import Workload

BACKENDS = [("numpy", "numpy"), ("torch", "torch"), ("mine.py:A", "mine:A")]
WORKLOADS = [
    Workload(id="a", why="b", shape=(4, 10), contracts=("forward", "forward+grad", "forward-saving")),
    Workload(id="c", why="b", shape=(4, 10), contracts=("forward",), caches=("warm", "cold")),
]
KINDS = entry_kinds(WORKLOADS, None, None)


@given(replicates=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_every_backend_has_a_process_with_every_entry_in_each_replicate(replicates: int, seed: int) -> None:
    jobs = schedule(BACKENDS, KINDS, replicates, seed)
    assert jobs == schedule(BACKENDS, KINDS, replicates, seed)
    timed = [job for job in jobs if job.backend != BANDWIDTH]
    for replicate in range(replicates):
        block = timed[replicate * len(BACKENDS) : (replicate + 1) * len(BACKENDS)]
        assert {job.replicate for job in block} == {replicate}
        assert sorted((job.spec, job.backend) for job in block) == sorted(BACKENDS)
    for job in timed:
        assert sorted((each.workload, each.contract, each.cache) for each in job.entries) == sorted(KINDS)
    orders = [each.order for job in timed for each in job.entries]
    assert orders == list(range(len(orders)))
    assert (
        jobs[0].backend == jobs[-1].backend == BANDWIDTH
        and sum(job.backend == BANDWIDTH for job in jobs) == replicates + 1
    )


def test_seeds_differ() -> None:
    assert schedule(BACKENDS, KINDS, 5, 1) != schedule(BACKENDS, KINDS, 5, 2)


def test_contracts_and_caches_narrow_the_entries() -> None:
    assert len(KINDS) == 5 and ("c", "forward", "cold") in KINDS
    assert entry_kinds(WORKLOADS, ("forward+grad",), None) == [("a", "forward+grad", "warm")]
    assert entry_kinds(WORKLOADS, None, ("cold",)) == [("a", "forward+grad", "cold"), ("c", "forward", "cold")]


def test_what_is_left_is_estimated_by_the_same_backends_last_process() -> None:
    jobs = schedule(BACKENDS, KINDS, 1, 0)
    seconds = {name: [99.0, 2.0] for _, name in BACKENDS} | {BANDWIDTH: [1.0]}
    assert estimate(seconds, jobs) == 2.0 * len(BACKENDS) + 2.0
    assert estimate({"numpy": [3.0]}, jobs[1:-1]) == 9.0 and estimate({}, jobs) is None

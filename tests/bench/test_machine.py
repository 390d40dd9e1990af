"""What a timed process reads from its system."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from conformance.bench.machine import (
    allocator,
    evict_bytes,
    last_level_cache,
    minor_faults,
    peak_bytes,
    pool_variables,
    touched_bytes,
    usable_cores,
)

SIZE = 48 << 20


# The collection of garbage before the measurement finds what other tests left open, too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_memory_that_is_given_back_counts_as_growth() -> None:
    peak = peak_bytes(lambda: np.ones(SIZE, np.uint8).fill(3))
    assert peak is not None and SIZE * 0.95 <= peak < 2 * SIZE


def test_memory_that_is_kept_counts_as_touched() -> None:
    kept = np.ones(SIZE, np.uint8)
    touched = touched_bytes(lambda: kept.fill(3))
    if touched is None:
        pytest.skip("this system does not tell which pages are accessed")
    assert SIZE * 0.95 <= touched < 3 * SIZE
    untouched = touched_bytes(lambda: None)
    assert untouched is not None and untouched < touched


def test_first_touch_is_a_fault() -> None:
    before = minor_faults()
    np.ones(SIZE, np.uint8)
    assert minor_faults() > before


def test_what_is_evicted_exceeds_the_cache_or_is_a_gibibyte() -> None:
    assert last_level_cache() > 0
    assert evict_bytes() > last_level_cache() or evict_bytes() == 1 << 30


def test_pools_and_allocator() -> None:
    assert pool_variables(3)["OMP_NUM_THREADS"] == "3" and pool_variables(3)["OMP_DYNAMIC"] == "FALSE"
    assert allocator()


def test_pinning_holds_for_threads_started_later() -> None:
    cores = usable_cores()
    if not cores:
        pytest.skip("this system has no affinity")
    code = (
        "import os, threading\n"
        "from conformance.bench.machine import pin\n"
        f"pin(({cores[-1]},))\n"
        "seen = []\n"
        "thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))\n"
        "thread.start(); thread.join(); print(*seen)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.strip() == f"{{{cores[-1]}}}"

"""What a timed process reads from its system."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.bench import bandwidth, machine
from conformance.bench.device import Host
from conformance.bench.machine import (
    allocator,
    evict_bytes,
    fill_order,
    granted_cores,
    last_level_cache,
    minor_faults,
    most_memory,
    peak_bytes,
    pool_variables,
    touched_bytes,
    usable_cores,
)
from conformance.bench.record import Bandwidth, Bandwidths

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
        pytest.skip("this system does not say which pages are accessed")
    assert SIZE * 0.95 <= touched < 3 * SIZE
    untouched = touched_bytes(lambda: None)
    assert untouched is not None and untouched < touched


def test_first_touch_is_a_fault() -> None:
    before = minor_faults()
    np.frombuffer(mmap.mmap(-1, SIZE), np.uint8)[:] = 1  # of the system: what NumPy freed before has been touched
    assert minor_faults() > before


def test_what_is_evicted_exceeds_the_cache_or_is_a_gibibyte() -> None:
    assert last_level_cache() > 0
    assert evict_bytes() > last_level_cache() or evict_bytes() == 1 << 30


def test_caches_that_only_some_cores_share_count_each(tmp_path: Path) -> None:
    for core in range(4):
        for index, (level, size, shared) in enumerate(
            [(1, "32K", str(core)), (3, "16384K", "0-1" if core < 2 else "2-3")]
        ):
            folder = tmp_path / f"cpu{core}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            for name, text in (("level", str(level)), ("size", size), ("shared_cpu_list", shared)):
                (folder / name).write_text(f"{text}\n")
    assert last_level_cache((0, 1), tmp_path) == 16 << 20
    assert last_level_cache((1, 2), tmp_path) == last_level_cache((0, 1, 2, 3), tmp_path) == 32 << 20
    assert last_level_cache((7,), tmp_path) == 32 << 20  # nothing is known: a usual size


def test_every_core_writes_its_part_and_the_process_keeps_them_all() -> None:
    cores = usable_cores()
    if not cores:
        pytest.skip("this system has no affinity")
    seen: list[tuple[int, ...]] = []

    class Watched(Host):
        def write(self, part: Any) -> None:
            seen.append(usable_cores())
            super().write(part)

    assert Watched(1 << 16, cores).evict() == 1 << 16
    assert seen == [(core,) for core in cores] and usable_cores() == cores


def test_pools_and_allocator() -> None:
    assert pool_variables(3)["OMP_NUM_THREADS"] == "3" and pool_variables(3)["OMP_DYNAMIC"] == "FALSE"
    assert allocator()


def test_second_hardware_threads_are_filled_last(tmp_path: Path) -> None:
    for core, siblings in enumerate(("0,1", "0,1", "2,3", "2,3", "4")):
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert fill_order((0, 1, 2, 3, 4), tmp_path) == (0, 2, 4, 1, 3)
    assert fill_order((1, 2, 3), tmp_path) == (1, 2, 3)
    assert fill_order((7, 5), tmp_path) == (5, 7)  # nothing is known of them
    assert fill_order((), tmp_path) == ()


def test_the_tightest_control_group_around_the_process_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("1:name=old:/elsewhere\n0::/outer/inner\n")
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    assert granted_cores(tmp_path, own) is None
    (tmp_path / "outer" / "inner" / "cpu.max").write_text("max 100000\n")
    (tmp_path / "outer" / "cpu.max").write_text("250000 100000\n")
    (tmp_path / "outer" / "memory.max").write_text("1048576\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert granted_cores(tmp_path, own) == 2.5 and most_memory(tmp_path, own) == 1 << 20
    assert granted_cores(tmp_path, tmp_path / "missing") is None
    assert (most_memory(tmp_path, tmp_path / "missing") or 0) > 1 << 20


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


def test_the_allocator_is_settled_unless_the_user_steers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD")]:
        monkeypatch.delenv(name)
    assert machine.steering_variables().items() >= machine.allocator_variables().items() != set()
    monkeypatch.setenv("MALLOC_TOP_PAD_", "4096")
    assert machine.allocator_variables() == {} and "MALLOC_ARENA_MAX" not in machine.steering_variables()


def test_the_peak_bandwidth_is_the_median_of_the_best_tries_and_its_range_is_kept() -> None:
    tries = ([1.0, 3.0], [9.0, 8.0], [4.0, 2.0])
    measured = [Bandwidths({"64": dict.fromkeys(("read", "copy", "exp"), each)}) for each in tries]
    assert bandwidth.typical(measured) == {"64": Bandwidth(4.0, 4.0, 4.0)}
    assert bandwidth.spread(measured)["64"]["read"] == (3.0, 9.0)
    assert bandwidth.typical(measured, "cuda") == {}

"""The machine as a timed process sees it: cores, caches, memory, faults, and the allocator."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import re
import resource
from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.worker.supervisor import THREAD_VARIABLES

__all__ = [
    "allocator",
    "allocator_variables",
    "evict_bytes",
    "fill_order",
    "granted_cores",
    "last_level_cache",
    "minor_faults",
    "most_memory",
    "overruled",
    "peak_bytes",
    "pin",
    "pool_variables",
    "steering_variables",
    "touched_bytes",
    "usable_cores",
]

_OVERRULED = re.compile(".*_CACHE_DIR|GOMP_CPU_AFFINITY|KMP_AFFINITY|KMP_HW_SUBSET|OMP_PLACES|OMP_PROC_BIND")
#: Of the interpreter, and of the compilers and libraries that frameworks share.
_STEERING = re.compile(
    "(CUBLAS|CUDA|DNNL|KMP|MALLOC|MKL|NVIDIA|OMP|ONEDNN|OPENBLAS|TRITON|XLA)_"
    "|PYTHON(DEVMODE|MALLOC|OPTIMIZE|TRACEMALLOC|_)|LD_PRELOAD$|GLIBC_TUNABLES$"
)
#: What makes the C library's allocator the same whatever was freed before. Left alone, its thresholds grow with what
#: was, and each thread has a pool that comes and goes, so that the same call takes three times as long or not by which
#: workload came first. Blocks beyond 32 MiB are new pages of the system's in every call, as they are to users; smaller
#: ones are kept, in one pool.
_SETTLED = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
}
_CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_CLEAR = Path("/proc/self/clear_refs")
#: The first line of a mapping in /proc/self/smaps: addresses, rights, offset, device, inode, and what is mapped.
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)")
_USUAL_CACHE = 32 << 20
_MOST_EVICTED = 1 << 30


def usable_cores() -> tuple[int, ...]:
    """The cores that this process may run on; empty where the system does not say."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def fill_order(cores: tuple[int, ...], cpus: Path = _CPUS) -> tuple[int, ...]:
    """``cores`` in the order in which threads should fill them: a second hardware thread of a core comes last."""
    group: dict[int, str] = {}
    for core in cores:
        try:
            group[core] = (cpus / f"cpu{core}/topology/thread_siblings_list").read_text().strip()
        except OSError:
            group[core] = str(core)
    rank = {core: [other for other in cores if group[other] == group[core]].index(core) for core in cores}
    return tuple(sorted(cores, key=lambda core: (rank[core], core)))


def granted_cores(cgroups: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> float | None:
    """How many cores' worth of time the control group grants, as `docker run --cpus` sets it; None without a limit.

    More threads than that do not run side by side: the kernel stops all of them for the rest of each period.
    """
    shares = [line.split() for line in _limits("cpu.max", cgroups, own)]
    found = [int(each[0]) / int(each[1]) for each in shares if len(each) == 2 and each[0] != "max"]
    return min(found, default=None)


def most_memory(cgroups: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The bytes of memory that this process can have at most; None where the system does not say."""
    found = [int(line) for line in _limits("memory.max", cgroups, own) if line.isdigit()]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)


def _limits(name: str, cgroups: Path, own: Path) -> list[str]:
    """What the file ``name`` holds in this process's control group and in those around it (version 2)."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    inside = next((line[3:] for line in lines if line.startswith("0::")), "/")
    folder = cgroups / inside.lstrip("/")
    found = []
    for each in (folder, *folder.parents):
        if each.is_relative_to(cgroups):
            try:
                found.append((each / name).read_text().strip())
            except OSError:
                continue
    return found


def pin(cores: tuple[int, ...]) -> None:
    """Keep this process, and every thread that it will start, to ``cores``; nothing where the system cannot."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def pool_variables(threads: int) -> dict[str, str]:
    """The environment variables that fix the size of thread pools, and let none of them change it.

    They are those that many frameworks share; a framework's own are its adapter's affair.
    """
    return {name: str(threads) for name in THREAD_VARIABLES} | {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}


def allocator_variables() -> dict[str, str]:
    """What settles the allocator from the first call on; nothing where the user's environment steers it already."""
    theirs = [name for name in os.environ if name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD")]
    return {} if theirs else dict(_SETTLED)


def overruled(name: str) -> bool:
    """Whether a variable of the user's is not passed on to a timed process.

    Those that say where a compiler keeps what it made, which would be found in a run that calls its cache fresh; and
    those that say which cores OpenMP's threads have, which may be others than those that they share.
    """
    return _OVERRULED.fullmatch(name) is not None


def steering_variables(frameworks: Sequence[str] = ()) -> dict[str, str]:
    """What in the environment steers the frameworks, their libraries and the allocator; the home folder is ``~``.

    ``frameworks`` are the beginnings of the names of the frameworks' own variables.
    """
    home = str(Path.home())
    return {
        name: value.replace(home, "~") if len(home) > 1 else value
        for name, value in sorted((os.environ | allocator_variables()).items())
        if (_STEERING.match(name) or name.startswith(tuple(frameworks)))
        if not overruled(name) and name not in THREAD_VARIABLES
    }


def last_level_cache(cores: tuple[int, ...] = (0,), cpus: Path = _CPUS) -> int:
    """The size in bytes of the largest caches of ``cores``, one that several share once; 32 MiB if nothing is known."""
    found: dict[int, dict[str, int]] = {}
    for core in cores or (0,):
        for folder in (cpus / f"cpu{core}/cache").glob("index*"):
            try:
                size = re.fullmatch(r"(\d+)([KMG])", (folder / "size").read_text().strip())
                level = int((folder / "level").read_text())
                shared = (folder / "shared_cpu_list").read_text().strip()
            except (OSError, ValueError):
                continue
            if size:
                found.setdefault(level, {})[shared] = int(size[1]) * _UNITS[size[2]]
    return sum(found[max(found)].values()) if found else _USUAL_CACHE


def evict_bytes(cores: tuple[int, ...] = (0,)) -> int:
    """What ``cores`` must write so that nothing of a workload is left in a cache: a quarter more than the largest hold.

    At most 1 GiB: a virtual machine may report a cache that it shares with many others.
    """
    return min(_MOST_EVICTED, last_level_cache(cores) * 5 // 4)


def minor_faults() -> int:
    """Pages that this process has touched for the first time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def allocator() -> str:
    """The C library's allocator, or the one that was loaded in its place."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        maps = ""
    for name in ("jemalloc", "tcmalloc", "mimalloc"):
        if re.search(rf"/lib{name}[^/]*\.so", maps):
            return name
    return " ".join(part for part in platform.libc_ver() if part) or "unknown"


def peak_bytes(call: Callable[[], None]) -> int | None:
    """How far the memory of this process grows while ``call`` runs; None where the system does not say.

    What an allocator has kept from earlier calls does not grow: :func:`touched_bytes` sees that.
    """
    gc.collect()
    _return_free_memory()
    try:
        _CLEAR.write_text("5")  # sets the high-water mark back to what is held now
        before = _status("VmRSS")
        call()
        return max(0, _status("VmHWM") - before)
    except (OSError, LookupError):
        high = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - high
        return grown << 10 if grown > 0 else None  # a mark that did not move shows nothing


def touched_bytes(call: Callable[[], None]) -> int | None:
    """How much of the memory that belongs to no file ``call`` reads or writes; None where the system does not say.

    The processor marks the pages that are accessed, whoever keeps them. Pages that ``call`` itself gives back to the
    system are not seen, and the interpreter's own are.
    """
    try:
        _CLEAR.write_text("1")  # forgets which pages were accessed
        call()
        mappings = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    total, counted = 0, False
    for line in mappings.splitlines():
        if head := _MAPPING.match(line):
            counted = not head[1] or head[1].startswith("[")
        elif counted and line.startswith("Referenced:"):
            total += int(line.split()[1]) << 10
    return total


def _return_free_memory() -> None:
    """Freed memory that the C library keeps would hide what a call needs."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return


def _status(key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(key)
    return int(found[1]) << 10

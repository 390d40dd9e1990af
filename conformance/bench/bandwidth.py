"""The peak bandwidth that this machine gives to plain NumPy loops, by the threads and cores of the benchmarks.

Read, copy and exp over working sets of several sizes, since what a workload meets is a cache or the memory by its size.
NumPy lets go of the interpreter in these loops, so that a thread a core does what an OpenMP loop would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from conformance.bench.record import Bandwidth, Bandwidths

if TYPE_CHECKING:
    from conformance.backends.contract import Backend
__all__ = ["KINDS", "SIZES", "measure", "measure_device", "nearest", "spread", "typical"]

#: Working sets in bytes.
SIZES = (1 << 20, 1 << 23, 1 << 26, 1 << 28)
KINDS = ("read", "copy", "exp")
TRIES = 3
TRY = 0.01  # seconds that one try lasts at least


def measure(sizes: Sequence[int], threads: int) -> Bandwidths:
    """Bytes read and written a second, for each size and kind: one number a try, the fastest loop of its kind.

    Bytes that are read and bytes that are written both count: a copy of n bytes moves 2n.
    """
    with ThreadPoolExecutor(threads) as pool:
        return Bandwidths({str(size): _of_size(size, threads, pool) for size in sizes})


def _of_size(size: int, threads: int, pool: ThreadPoolExecutor) -> dict[str, list[float]]:
    import numpy as np

    half = max(threads, size // 8)  # float32 elements: one half of the working set is the source of copy and exp
    data = np.full(2 * half, 0.5, np.float32)
    parts = np.array_split(data, threads)
    pairs = list(zip(np.array_split(data[:half], threads), np.array_split(data[half:], threads), strict=True))
    loops: dict[str, list[Callable[[int], Any]]] = {
        "read": [lambda i: parts[i].max(), lambda i: parts[i].sum(), lambda i: parts[i].dot(parts[i])],
        "copy": [lambda i: np.copyto(pairs[i][1], pairs[i][0])],
        "exp": [lambda i: np.exp(pairs[i][0], out=pairs[i][1])],
    }
    return {
        kind: [max(_rate(loop, data.nbytes, threads, pool) for loop in loops[kind]) for _ in range(TRIES)]
        for kind in KINDS
    }


def _rate(loop: Callable[[int], Any], size: int, threads: int, pool: ThreadPoolExecutor) -> float:
    """Bytes a second of ``loop`` over all parts at once, each thread passing over its own again and again."""

    def passes(i: int, count: int) -> None:
        for _ in range(count):
            loop(i)

    def all_parts(count: int) -> None:
        for each in [pool.submit(passes, i, count) for i in range(threads)]:
            each.result()

    return _rate_of(all_parts, size)


def _rate_of(passes: Callable[[int], None], size: int) -> float:
    """Bytes a second of ``passes``, which moves ``size`` bytes as often as asked, over one try."""
    count = 1
    while True:
        begin = perf_counter()
        passes(count)
        seconds = perf_counter() - begin
        if seconds >= TRY:
            return size * count / seconds
        count = max(2 * count, int(1.2 * count * TRY / max(seconds, 1e-9)))


def measure_device(
    sizes: Sequence[int], backend: Backend, streams_of: Callable[[int], Mapping[str, Sequence[Callable[[], Any]]]]
) -> Bandwidths:
    """The same of the memory of ``backend``'s device, by the calls that ``streams_of`` gives for a size.

    The calls of a try are queued one after the other, as a training step queues them, and waited for once.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for size in sizes:
        streams = streams_of(size)
        if not all(streams.get(kind) for kind in KINDS):
            return Bandwidths({}, backend.device, f"{type(backend).__name__} has no calls that only move memory")
        passes = {kind: [_queued(each, backend) for each in streams[kind]] for kind in KINDS}
        found[str(size)] = {
            kind: [max(_rate_of(each, size) for each in passes[kind]) for _ in range(TRIES)] for kind in KINDS
        }
    return Bandwidths(found, backend.device)


def _queued(stream: Callable[[], Any], backend: Backend) -> Callable[[int], None]:
    def passes(count: int) -> None:
        for _ in range(count):
            last = stream()
        backend.synchronize(last)

    passes(1)  # compiles, and takes memory
    return passes


def typical(measured: Sequence[Bandwidths], device: str = "cpu") -> dict[str, Bandwidth]:
    """Bytes a second of each size: the median over all measurements of ``device`` of each one's best try.

    A shared machine gives twice as much at one time as at another; what is timed in between meets all of them.
    """
    found = _bests(measured, device)
    return {size: Bandwidth(**{kind: median(kinds[kind]) for kind in KINDS}) for size, kinds in found.items()}


def spread(measured: Sequence[Bandwidths], device: str = "cpu") -> dict[str, dict[str, tuple[float, float]]]:
    """The least and the greatest of the measurements that :func:`typical` is the median of."""
    found = _bests(measured, device)
    return {size: {kind: (min(each), max(each)) for kind, each in kinds.items()} for size, kinds in found.items()}


def _bests(measured: Sequence[Bandwidths], device: str) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for each in measured:
        if each.device == device:
            for size, kinds in each.sizes.items():
                for kind, rates in kinds.items():
                    found.setdefault(size, {}).setdefault(kind, []).append(max(rates))
    return found


def nearest(sizes: Iterable[int], working_set: int) -> int:
    """The size next to ``working_set`` on a logarithmic scale."""
    return min(sizes, key=lambda size: max(size, working_set) / min(size, max(working_set, 1)))

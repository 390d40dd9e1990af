"""What is measured of the memory that a backend's tensors lie in: the processor's, or an accelerator's own."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median_high
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.bench.bound import Bound
from conformance.bench.machine import peak_bytes, pin, touched_bytes

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

__all__ = ["Accelerator", "Host", "device_of"]

TRIES = 3  # of measuring memory


class Host:
    """The processor. Each of ``cores`` writes its part of ``size`` bytes to empty the caches.

    A core's own caches, and one that only some cores share, hold what the threads on those cores have used, and are not
    reached from another core.
    """

    def __init__(self, size: int, cores: tuple[int, ...] = ()) -> None:
        self._size = size
        self._cores = cores
        self._parts: list[Any] = []

    def evict(self) -> int:
        """Drive a workload out of every cache by writing a buffer that none of them holds; its size in bytes."""
        if not self._parts:
            self._parts = np.array_split(np.zeros(self._size // 8, np.int64), max(1, len(self._cores)))
        for place, part in enumerate(self._parts):
            pin(self._cores[place : place + 1])
            self.write(part)
        pin(self._cores)
        return self._size

    def write(self, part: Any) -> None:
        """Write one core's part, on that core."""
        part += 1

    def seconds(self, function: Callable[[], Any], rounds: int) -> list[float]:
        """The processor has no other clock than the one that the rounds are timed by."""
        return []

    def memory(self, bound: Bound) -> dict[str, int | None]:
        """What the process grows by during a call, and what it accesses beside the inputs."""
        touched = _typical_bytes(touched_bytes, bound.once)
        beside = None if touched is None else max(0, touched - bound.input_bytes)
        return {"peak_bytes": _typical_bytes(peak_bytes, bound.once), "touched_bytes": beside}


class Accelerator:
    """The device of ``backend``, by the means that its runtime gives; one without a runtime gives none."""

    def __init__(self, backend: Backend) -> None:
        from conformance.backends.contract import Device

        runtime = getattr(backend, "runtime", None)
        device: Device = Device() if runtime is None else runtime.device
        self._backend = backend
        self._peak_bytes = device.peak_bytes
        self.seconds = device.seconds
        self.streams = device.streams
        self.evict = device.evict

    def memory(self, bound: Bound) -> dict[str, int | None]:
        """What the allocator reports, or else what the compiler plans."""
        peak = self._peak_bytes(bound.once)
        if peak is None and bound.contract != "forward-saving":
            peak = self._backend.planned_bytes(*bound.arguments)
        return {"peak_bytes": peak}


def device_of(backend: Backend, size: int, cores: tuple[int, ...]) -> Host | Accelerator:
    """Where ``backend``'s tensors lie."""
    return Host(size, cores) if backend.device == "cpu" else Accelerator(backend)


def _typical_bytes(measure: Callable[[Callable[[], None]], int | None], call: Callable[[], None]) -> int | None:
    """The median of a few tries: the interpreter's own pages come and go."""
    found = [size for _ in range(TRIES) if (size := measure(call)) is not None]
    return median_high(found) if found else None

"""One entry inside its process: the first call, the rounds, and what is looked at after them."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from time import perf_counter
from typing import Any

from conformance.bench.bound import Bound
from conformance.bench.device import Accelerator, Host
from conformance.bench.machine import minor_faults
from conformance.bench.orders import BenchEntry

__all__ = ["run_rounds", "wrapper_seconds"]

ROUND = 2e-4  # seconds: a shorter round would measure the timer, too
SLOW = 0.25  # seconds: calls beyond are timed in three rounds instead of five
MOST_ROUNDS = 100
MOST_ITERATIONS = 10_000
SETTLING = 0.01  # seconds of calls before the rounds, where calls are short


def run_rounds(
    benchmark: Any, entry: BenchEntry, bound: Bound, budget: float, device: Host | Accelerator
) -> dict[str, Any]:
    """Time ``bound`` by pytest-benchmark's fixture; what was seen besides, under its names in ``extra_info``."""
    begin = perf_counter()
    bound.once()
    first = perf_counter() - begin
    cold = entry.cache == "cold"
    estimate = _settle(bound.once, device.evict if cold else None)
    iterations = 1 if cold else min(MOST_ITERATIONS, max(1, math.ceil(ROUND / estimate)))
    least = 3 if cold or estimate > SLOW else 5
    rounds = min(MOST_ROUNDS, max(least, int(budget / (estimate * iterations))))
    gc.collect()
    collections, faults = _collections(), minor_faults()
    evicted: list[int] = []
    setup = {"setup": lambda: evicted.append(device.evict())} if cold else {}
    benchmark.pedantic(bound.once, rounds=rounds, iterations=iterations, **setup)
    seen: dict[str, Any] = {
        "first_call_seconds": first,
        "minor_faults": minor_faults() - faults,
        "calls": rounds * iterations,
        "gc": {
            "disabled": True,
            "collections": [now - then for now, then in zip(_collections(), collections, strict=True)],
        },
    }
    if cold:
        seen["evicted_bytes"] = evicted[-1]
    own = _device_seconds(bound, rounds, device, cold)
    return seen | ({"cuda_seconds": own} if own else {})


def _device_seconds(bound: Bound, rounds: int, device: Host | Accelerator, cold: bool) -> list[float]:
    """By the device's own clock; with a cold cache as cold as in the rounds."""
    if not cold:
        return device.seconds(bound.results, rounds)
    found: list[float] = []
    for _ in range(rounds):
        device.evict()
        found += device.seconds(bound.results, 1)
    return found


def _settle(once: Callable[[], None], evict: Callable[[], object] | None) -> float:
    """Call until caches, branch predictors and clocks have settled; the seconds of a call, eviction included."""
    best, spent = math.inf, 0.0
    while True:
        begin = perf_counter()
        if evict is not None:
            evict()
        once()
        seconds = perf_counter() - begin
        best, spent = min(best, seconds), spent + seconds
        if spent >= SETTLING:
            return max(best, 1e-9)


def _collections() -> list[int]:
    return [generation["collections"] for generation in gc.get_stats()]


def wrapper_seconds(tries: int = 5, calls: int = 2000) -> float:
    """What the contract's own way to a method adds to a call, in seconds: the least of ``tries`` means.

    It is part of every time, the same for all backends, and matters where a call takes microseconds.
    """
    from conformance.backends.contract import Call

    class Null:
        composition = ""

        def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
            return logits

    options = (("axis", 1), ("ignore_index", None), ("label_smoothing", None), ("reduction", "mean"))
    call, null = Call("cross_entropy", {"targets": None}, options), Null()
    best = math.inf
    for _ in range(tries):
        begin = perf_counter()
        for _ in range(calls):
            call.apply(null, None)  # type: ignore[arg-type]
        best = min(best, (perf_counter() - begin) / calls)
    return best

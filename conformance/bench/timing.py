"""One entry inside its process: the first call, the rounds, and what is looked at after them."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from conformance.bench.device import Accelerator, Host
from conformance.bench.inputs import Inputs
from conformance.bench.machine import minor_faults
from conformance.bench.orders import Entry
from conformance.bench.workload import Contract, Workload

if TYPE_CHECKING:
    from conformance.backends.contract import Backend, Call

__all__ = ["Bound", "bind", "run_rounds", "wrapper_seconds"]

ROUND = 2e-4  # seconds: a shorter round would measure the timer, too
SLOW = 0.25  # seconds: calls beyond are timed in three rounds instead of five
MOST_ROUNDS = 100
MOST_ITERATIONS = 10_000
SETTLING = 0.01  # seconds of calls before the rounds, where calls are short


@dataclass(frozen=True, eq=False)
class Bound:
    """A call with its tensors, resident on the device. ``once`` makes it and returns when its result is there.

    ``input_bytes`` is what the tensors hold.
    """

    backend: Backend
    call: Call
    logits: Any
    upstream: Any
    contract: Contract
    once: Callable[[], None]
    input_bytes: int

    def results(self) -> tuple[Any, ...]:
        """The value, and the gradient where the contract has one; started, and not waited for."""
        if self.contract == "forward+grad":
            return tuple(self.backend.differentiate(self.call, self.logits, self.upstream))
        if self.contract == "forward-saving":
            return (self.backend.save_for_backward(self.call, self.logits)[0],)
        return (self.backend.evaluate(self.call, self.logits),)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the backend's methods about its compiled code take: call, logits, and upstream for a gradient."""
        return (self.call, self.logits, *((self.upstream,) if self.contract == "forward+grad" else ()))


def bind(backend: Backend, workload: Workload, inputs: Inputs, contract: Contract) -> Bound:
    """The call that ``workload`` describes, on ``backend``, under ``contract``."""
    from conformance.backends.contract import Call

    operands = {name: backend.tensor(array) for name, array in inputs.operands().items()}
    options = (
        ("axis", workload.axis),
        ("ignore_index", inputs.ignore_index),
        ("label_smoothing", workload.label_smoothing or None),
        ("reduction", workload.reduction),
    )
    call = Call("cross_entropy", operands, options)
    logits, upstream = backend.tensor(inputs.logits), backend.tensor(inputs.upstream)
    once = _once(backend, call, logits, upstream, contract)
    backend.synchronize(logits, upstream, *operands.values())  # a copy to the device may still be under way
    held = sum(array.nbytes for array in (inputs.logits, inputs.upstream, *inputs.operands().values()))
    return Bound(backend, call, logits, upstream, contract, once, held)


def _once(backend: Backend, call: Call, logits: Any, upstream: Any, contract: Contract) -> Callable[[], None]:
    """Everything is looked up beforehand, and the result is let go at once: users' loops do the same."""
    synchronize = backend.synchronize
    if contract == "forward":
        evaluate = backend.evaluate

        def once() -> None:
            synchronize(evaluate(call, logits))

    elif contract == "forward+grad":
        differentiate = backend.differentiate

        def once() -> None:
            synchronize(*differentiate(call, logits, upstream))

    else:
        save = backend.save_for_backward

        def once() -> None:
            value, saved = save(call, logits)
            synchronize(value)
            del saved

    return once


def run_rounds(benchmark: Any, entry: Entry, bound: Bound, budget: float, device: Host | Accelerator) -> dict[str, Any]:
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

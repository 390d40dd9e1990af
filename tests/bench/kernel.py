"""One process of the self-check: times an operation of the NumPy adapter, and writes its rounds as JSON.

``python -m tests.bench.kernel OPERATION ROWS CLASSES SLOWDOWN SECONDS``. A slowdown is real: after each call the
process is busy for that share of the time which the call took.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

import numpy as np

from backends.contract import Call
from backends.numpy import Numpy

OPERATIONS = ("softmax", "log_softmax", "cross_entropy", "gradient")
WARM = 3
#: Calls are gathered into rounds of at least this many seconds.
ROUND = 2e-3


def rounds(operation: str, rows: int, classes: int, slowdown: float, budget: float) -> list[float]:
    """Seconds per call of each round, for about ``budget`` seconds."""
    call = _prepared(operation, rows, classes)

    def timed() -> float:
        start = perf_counter()
        call()
        end = perf_counter()
        until = end + slowdown * (end - start)
        while end < until:
            end = perf_counter()
        return end - start

    each = min(timed() for _ in range(WARM))
    calls = max(1, round(ROUND / each))
    found: list[float] = []
    begin = perf_counter()
    while perf_counter() - begin < budget or len(found) < 5:
        found.append(sum(timed() for _ in range(calls)) / calls)
    return found


def _prepared(operation: str, rows: int, classes: int):
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((rows, classes), dtype=np.float32)
    targets = generator.integers(0, classes, rows)
    adapter = Numpy()
    options = {"axis": 1, "ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"}
    if operation in ("softmax", "log_softmax"):
        return lambda: getattr(adapter, operation)(logits, axis=1)
    if operation == "cross_entropy":
        return lambda: adapter.cross_entropy(logits, targets, weight=None, **options)
    whole = Call("cross_entropy", {"targets": targets}, tuple(options.items()))
    return lambda: adapter.differentiate(whole, logits, np.ones((), np.float32))


def main(arguments: list[str]) -> None:
    operation, rows, classes, slowdown, budget = arguments
    json.dump(rounds(operation, int(rows), int(classes), float(slowdown), float(budget)), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])

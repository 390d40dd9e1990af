"""Cases about softmax, and adapters of a third party that have one of their own."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import write

__all__ = ["CASES", "softmax_files"]

CASES = """\
theme: small
cases:
  - id: plain
    why: logits need not sum to one
    op: softmax
    logits: [[0.5, 2.0, -1.5], [1.0, 0.0, 1.0]]
    dtypes: [float32]
  - id: strided
    why: views of memory
    op: softmax
    logits: [[0.1, 2.0, -1.5], [1.0, 0.0, 1.0]]
    dtypes: [float64]
    layouts: [sliced, transposed, reversed, misaligned]
  - id: apart
    why: rows that lie apart
    op: softmax
    logits: [[0.1, 2.0, -1.5], [1.0, 0.0, 1.0]]
    dtypes: [float32]
    layouts: [logits=padded]
  - id: only-one
    why: a probability of 1
    op: softmax
    logits: [[1.0]]
    dtypes: [float32]
  - id: axis-of-none
    why: there is no axis 5
    op: softmax
    logits: [[0.1, 2.0, -1.5]]
    axis: 5
    dtypes: [float32]
    expect: {error: the axis is out of range}
  - id: differentiated
    why: derivatives of each order
    op: softmax
    logits: [[0.5, 2.0, -1.5], [1.0, 0.0, 1.0]]
    dtypes: [float32]
    transforms: [forward-mode, second-order, vectorised-map]
  - id: nothing-is-possible
    why: implementations differ
    op: softmax
    logits: [[-.inf, -.inf, -.inf]]
    dtypes: [float32]
    policy: all-minus-infinity
"""
ADAPTER = """\
import numpy as np
from conformance.backends.adapters.numpy import Numpy

calls = []

class Mine(Numpy):
    def softmax(self, logits, *, axis):
"""
SOFT = """\
        powers = np.exp(logits - logits.max(axis % 2, keepdims=True))
        result = powers / powers.sum(axis % 2, keepdims=True)
"""


def softmax_files(folder: Path, body: str) -> tuple[Path, Path]:
    """Writes the cases, and an adapter whose softmax ends with ``body``; further methods may follow that."""
    body, *methods = body.split("\ndef ")
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    lines += "".join(f"    {line}\n" for each in methods for line in f"def {each}".splitlines())
    return write(folder / "cases.yaml", CASES), write(folder / "mine.py", ADAPTER + SOFT + lines)

"""KernelBench's check of a problem: five random inputs of one shape, values alone, ``torch.allclose`` with one number.

https://github.com/ScalingIntelligence/KernelBench, ``run_and_check_correctness`` in src/kernelbench/eval.py: seeds are
drawn from 42, atol = rtol = 1e-2 in versions 0 and 0.1, and 1e-4 in float32 since (``get_tolerance_for_precision``).
Of level 1 these are the problems 23, 24 and 95. Version 0 has normal logits of 16 × 16,384 and 4,096 × 10; since
version 0.1 they are uniform in [0, 1) and of 4,096 × 393,216 and 32,768 × 4,096, of which ``ROWS`` and ``POSITIONS``
are taken here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from conformance.backends.contract import Backend
from conformance.foreign.call import ForeignCall
from conformance.model.case import OperationName, Provenance
from tests.yardstick.peers.rule import Asked, Rule, quiet

__all__ = ["SIZES", "KernelBench", "Problem"]

SEED = 42
TRIALS = 5
#: Rows are worked on one by one: a few of them show what the whole matrix shows.
ROWS, POSITIONS = 2, 64
#: Of each version: the logits of both normalisers, those of the loss, and how they are drawn.
SIZES = {"0": ((16, 16_384), (4096, 10), "randn"), "main": ((ROWS, 393_216), (POSITIONS, 4096), "rand")}
_FILES = {
    "softmax": "23_Softmax",
    "log_softmax": "24_LogSoftmax",
    "cross_entropy": "95_CrossEntropyLoss",
}


@dataclass(frozen=True)
class Problem:
    """A problem of level 1: its name, how its logits are drawn, and a call for each trial with PyTorch's value."""

    name: str
    inputs: str
    calls: Sequence[ForeignCall]

    def passes(self, backend: Backend, tolerance: float) -> bool:
        """Whether every trial's output has the shape, and is close to PyTorch's."""
        try:
            with quiet():
                return all(_close(Asked(call).value(backend), call.value, tolerance) for call in self.calls)
        except Exception:
            return False

    @property
    def largest(self) -> float:
        """The largest magnitude among the right outputs of all trials."""
        return float(max(np.abs(call.value).max() for call in self.calls))


class KernelBench(Rule):
    """The problems of a version in float32, with a tolerance for both atol and rtol."""

    source = "https://github.com/ScalingIntelligence/KernelBench/blob/main/src/kernelbench/eval.py"
    ops = ("softmax", "log_softmax", "cross_entropy")

    def __init__(self, key: str, title: str, version: str, tolerance: float) -> None:
        self.key, self.title, self.version, self.tolerance = key, title, version, tolerance
        self.problems = [_problem(op, version) for op in self.ops]  # type: ignore[arg-type]

    def failure(self, backend: Backend) -> str:
        return next((each.name for each in self.problems if not each.passes(backend, self.tolerance)), "")


@cache
def _problem(op: OperationName, version: str) -> Problem:
    import torch

    wide, loss, drawn = SIZES[version]
    shape = loss if op == "cross_entropy" else wide
    torch.manual_seed(SEED)
    seeds = [int(torch.randint(0, 2**32 - 1, (1,)).item()) for _ in range(TRIALS)]
    calls = []
    for trial, seed in enumerate(seeds):
        torch.manual_seed(seed)
        logits = getattr(torch, drawn)(*shape)
        targets = torch.randint(0, shape[1], shape[:1]) if op == "cross_entropy" else None
        function: Any = torch.nn.functional.cross_entropy if op == "cross_entropy" else getattr(torch, op)
        value = function(logits, targets) if targets is not None else function(logits, dim=1)
        name = f"{_FILES[op]}, trial {trial}"
        calls.append(
            ForeignCall(
                id=f"kernelbench.{op}.{trial}",
                source=Provenance(project="KernelBench", version=version, test=name, license="MIT"),
                reference=KernelBench.source,
                op=op,
                logits=logits.numpy(),
                axis=1,
                targets=None if targets is None else targets.numpy(),
                reduction="mean" if targets is not None else "none",
                value=value.numpy(),
                rtol=0.0,
                atol=0.0,
            )
        )
    return Problem(_FILES[op], f"{drawn}{shape}", calls)


def _close(actual: Any, expected: Any, tolerance: float) -> bool:
    """As ``torch.allclose``, which refuses two dtypes."""
    same = actual.shape == expected.shape and actual.dtype == expected.dtype
    return same and bool(np.allclose(actual, expected, tolerance, tolerance))

"""Generated case files, and the pytest file that a maintainer would write for the same cases."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FIXED_COST", "pytest_file", "write_cases"]

_CASE = (
    "  - {{id: generated-{i}, why: a small generated case, op: cross_entropy, "
    "logits: {{distribution: normal, shape: [4, 5], scale: 4, seed: {i}}}, "
    "targets: {{distribution: labels, seed: {i}}}, reductions: [mean], dtypes: [float32]}}\n"
)

#: An adapter whose every call takes the processor for 5 ms.
FIXED_COST = """\
import time

from conformance.backends.numpy import Numpy


class FixedCost(Numpy):
    def evaluate(self, call, logits):
        end = time.process_time() + 0.005
        while time.process_time() < end:
            pass
        return super().evaluate(call, logits)
"""

_PYTEST = """
import numpy as np
import pytest
import torch
import torch.nn.functional as F

COUNT = {count}


def reference(logits, targets, upstream):
    x = logits.astype(np.float64)
    shifted = x - x.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    s = e.sum(axis=1, keepdims=True)
    rows = np.arange(len(x))
    loss = (np.log(s[:, 0]) - shifted[rows, targets]).mean()
    gradient = e / s
    gradient[rows, targets] -= 1
    return loss, gradient * upstream / len(x)


@pytest.mark.parametrize("seed", range(COUNT))
def test_cross_entropy(seed):
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(4, 5)) * 4).astype(np.float32)
    targets = rng.integers(0, 5, 4)
    loss, gradient = reference(logits, targets, -1.375)
    x = torch.from_numpy(logits).requires_grad_()
    value = F.cross_entropy(x, torch.from_numpy(targets))
    (found,) = torch.autograd.grad(value, x, torch.tensor(-1.375))
    torch.testing.assert_close(value, torch.tensor(loss, dtype=torch.float32))
    torch.testing.assert_close(found, torch.from_numpy(gradient.astype(np.float32)))
"""


def write_cases(path: Path, count: int, first: int = 0) -> Path:
    """A case file of ``count`` seeded cross-entropy cases of shape (4, 5) in float32, reduction mean.

    Their numbers, by which ids are unique over several files, begin at ``first``.
    """
    path.write_text("theme: generated\ncases:\n" + "".join(_CASE.format(i=first + i) for i in range(count)))
    return path


def pytest_file(path: Path, count: int) -> Path:
    """The same number of checks as a parametrised test with ``torch.testing.assert_close``."""
    path.write_text(_PYTEST.format(count=count))
    return path

"""Six, seven and eight axes: an axis counted from the end, the default axis, and operands that go along."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.corners import corners
from tests.yardstick.kernel import Ask, Kernel


class AxisFromTheEndOfSix(Kernel):
    """From six axes on, an axis before the last that is counted from the end is one place off."""

    def axis(self, logits: Any, axis: int | None) -> int:
        found = super().axis(logits, axis)
        return max(found - 1, 0) if logits.ndim >= 6 and axis is not None and axis < -1 else found


class DefaultAxisOfSixIsLast(Kernel):
    """From six axes on, log_softmax without an axis goes along the last one."""

    def log_softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        axis = logits.ndim - 1 if axis is None and logits.ndim >= 6 else axis
        return super().log_softmax(logits, axis=axis, where=where)


corners(
    __name__,
    {
        "MiddleAxisOfSix": (
            "Classes between the second and the last of six and more axes are off.",
            lambda at: at.rank >= 6 and 1 < at.place < at.rank - 1,
        ),
    },
)


class NllGradientOfSeven(Kernel):
    """nll_loss of seven axes has no gradient."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        return np.zeros_like(found) if len(ask.shape) == 6 else found


corners(
    __name__,
    {
        "WeightsOfSeven": ("Weights of seven axes are off.", lambda at: at.rank == 7 and at.weighted),
        "HalfTypesOfSeven": (
            "Half types of seven and more axes are off.",
            lambda at: at.rank >= 7 and at.dtype in ("float16", "bfloat16"),
        ),
        "IgnoredOfEight": ("Ignored positions of eight axes are off.", lambda at: at.rank == 8 and at.ignored),
        "WeightedProbabilitiesOfEight": (
            "Class probabilities with weights of eight axes are off.",
            lambda at: at.rank == 8 and at.weighted and at.kind == "probability",
        ),
    },
)

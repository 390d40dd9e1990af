"""Results that do not depend on the numbers: what a check with a wide tolerance, or of one shape, lets pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class Zeros(Kernel):
    """Every result is 0: right within an absolute tolerance that exceeds the right values (KernelBench#165)."""

    def stored(self, result: Any, dtype: Any) -> Any:
        return np.zeros_like(super().stored(result, dtype))


class MeanOfTheFirstBatch(Kernel):
    """The mean loss of the first batch of a shape serves the later ones: of many random positions it hardly differs."""

    def loss(self, ask: Ask) -> Any:
        loss = super().loss(ask)
        if ask.reduction != "mean":
            return loss
        kept: dict[Any, Any] = vars(self).setdefault("kept", {})
        return kept.setdefault((ask.x.shape, ask.x.dtype), loss)

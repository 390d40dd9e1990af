"""NumPy: the reference implementation that a NumPy user would write; its numerics are in :mod:`..reference`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from conformance.backends import reference
from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Call, Reduction, Tensor
from conformance.backends.runtimes.base import Runtime
from conformance.backends.runtimes.numpy import NumpyRuntime

__all__ = ["Numpy"]


class Numpy(Adapter):
    """The reference: every operation and feature; invalid input raises TypeError, ValueError or IndexError."""

    framework: ClassVar[str] = "numpy"
    profile: ClassVar[str] = "numpy"
    runs_on: ClassVar[type[Runtime]] = NumpyRuntime
    offers: ClassVar[Offers] = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "composed"),
        weight="composed",
        ignore_index="composed",
        label_smoothing="composed",
        probability_targets="composed",
        reductions="composed",
        gradient="composed",
    )

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        return reference.softmax(logits, axis, where)

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        return reference.log_softmax(logits, axis, where)

    def nll_loss(
        self,
        log_probabilities: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        reduction: Reduction | None,
    ) -> Tensor:
        return reference.nll_loss(log_probabilities, targets, weight, axis, ignore_index, reduction)

    def cross_entropy(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        label_smoothing: float | None,
        reduction: Reduction | None,
        where: Tensor | None = None,
    ) -> Tensor:
        return reference.cross_entropy(logits, targets, weight, axis, ignore_index, label_smoothing, reduction, where)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value = self.evaluate(call, logits)
        if not isinstance(upstream, np.ndarray) or upstream.shape != value.shape:
            raise ValueError(f"the upstream gradient must be an array of the value's shape {value.shape}")
        return value, reference.gradient(call, logits, upstream)

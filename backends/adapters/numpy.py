"""NumPy: the reference implementation that a NumPy user would write; its numerics are in :mod:`..reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Call, CrossEntropyOptions, NllLossOptions, Tensor
from conformance.backends.runtimes.numpy import NumpyRuntime

if TYPE_CHECKING:
    import numpy as np

    from conformance.backends import reference

__all__ = ["Numpy"]


class Numpy(Adapter):
    """The reference: every operation and feature; invalid input raises TypeError, ValueError or IndexError."""

    framework = "numpy"
    profile = "numpy"
    runs_on = NumpyRuntime
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy", "log_loss"), "composed"),
        weight="composed",
        ignore_index="composed",
        label_smoothing="composed",
        probability_targets="composed",
        reductions="composed",
        gradient="composed",
    )

    @classmethod
    def imports(cls) -> None:
        global np, reference
        import numpy as np

        from conformance.backends import reference

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        return reference.softmax(logits, axis, where)

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        return reference.log_softmax(logits, axis, where)

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        return reference.nll_loss(log_probabilities, targets, **options)

    def cross_entropy(
        self, logits: Tensor, targets: Tensor, *, where: Tensor | None = None, **options: Unpack[CrossEntropyOptions]
    ) -> Tensor:
        return reference.cross_entropy(logits, targets, where=where, **options)

    def log_loss(self, probabilities: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return reference.log_loss(probabilities, targets, **options)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value = self.evaluate(call, logits)
        if not isinstance(upstream, np.ndarray) or upstream.shape != value.shape:
            raise ValueError(f"the upstream gradient must be an array of the value's shape {value.shape}")
        return value, reference.gradient(call, logits, upstream)

"""MLX: ``mx.softmax``, and ``log_softmax`` and the losses of ``mlx.nn``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, NllLossOptions, Tensor, Unsupported, given
from conformance.backends.runtimes.mlx import MlxRuntime

if TYPE_CHECKING:
    import mlx.core as mx
    import mlx.nn as nn

__all__ = ["Mlx"]


class Mlx(Adapter):
    """Composition ``precise`` is ``mx.softmax(..., precise=True)``, which is documented to accumulate in float32."""

    framework = "mlx"
    profile = "mlx"
    library = "mlx.nn"
    runs_on = MlxRuntime
    compositions = ("precise",)
    composed = ("softmax",)
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "native"),
        weight="composed",
        ignore_index="unsupported",
        label_smoothing="native",
        probability_targets="native",
        reductions="native",
    )

    @classmethod
    def imports(cls) -> None:
        global mx, nn
        import mlx.core as mx
        import mlx.nn as nn

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return mx.softmax(logits, **given(axis=axis, precise=self.composition == "precise" or None))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return nn.log_softmax(logits, **given(axis=axis))

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        axis, reduction = self.only(options, "axis", "reduction")
        return nn.losses.nll_loss(log_probabilities, targets, **given(axis=axis, reduction=reduction))

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        self.refuse(ignore_index=options.pop("ignore_index"))
        weight = options.pop("weight", None)
        if weight is not None:  # the library's weights are one for each position
            if targets.ndim == logits.ndim or options["label_smoothing"]:
                raise Unsupported("mlx.nn has no weights of classes: those of positions weigh the label alone")
            axis = -1 if options["axis"] is None else options["axis"]
            if weight.shape != (logits.shape[axis],):
                raise ValueError(f"{weight.shape} is not the shape of weights of classes")
            options["weights"] = weight[targets]  # type: ignore[typeddict-unknown-key]
        return nn.losses.cross_entropy(logits, targets, **given(**options))

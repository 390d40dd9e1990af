"""Optax: the softmax cross-entropy losses of ``optax.losses``, run as JAX runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.backends.contract import Reduction, Tensor, Unsupported, given
from conformance.backends.jax import Jax, are_probabilities

if TYPE_CHECKING:
    import jax
    import optax

__all__ = ["Optax"]


class Optax(Jax):
    """``optax.softmax_cross_entropy_with_integer_labels`` and ``optax.softmax_cross_entropy``.

    Mode ``safe``, jitted, holds ``optax.losses.safe_softmax_cross_entropy``, for class probabilities, and nothing else.
    """

    framework: ClassVar[str] = "optax"
    profile: ClassVar[str] = "optax"
    modes: ClassVar[tuple[str, ...]] = ("jit", "eager", "safe")
    compiled_modes: ClassVar[tuple[str, ...]] = ("jit", "safe")

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        global jax, optax
        super().__init__(device=device, mode=mode, threads=threads)
        import jax
        import optax

    def versions(self) -> dict[str, str]:
        return {"optax": optax.__version__} | super().versions()

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        raise Unsupported("optax has no softmax; jax.nn has one")

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        raise Unsupported("optax has no log_softmax; jax.nn has one")

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
        raise Unsupported("optax has no nll_loss")

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
        for name in given(weight=weight, ignore_index=ignore_index):
            raise Unsupported(f"optax's losses have no {name}")
        options, masked = given(axis=axis), given(where=where)
        by_index = not are_probabilities(targets, logits)
        if self.mode == "safe":
            if masked:
                raise Unsupported("safe_softmax_cross_entropy has no mask of classes")
            if by_index or label_smoothing or options.get("axis", -1) not in (-1, logits.ndim - 1):
                raise Unsupported("safe_softmax_cross_entropy takes class probabilities along the last axis only")
            losses = optax.losses.safe_softmax_cross_entropy(logits, targets)
        elif by_index and not label_smoothing:
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets, **options, **masked)
        else:
            if by_index:
                class_axis = options.get("axis", -1)
                targets = jax.nn.one_hot(targets, logits.shape[class_axis], dtype=logits.dtype, axis=class_axis)
            if label_smoothing:
                targets = optax.smooth_labels(targets, label_smoothing, **options)
            losses = optax.softmax_cross_entropy(logits, targets, **options, **masked)
        if reduction in (None, "none"):
            return losses
        if reduction not in ("mean", "sum"):
            raise Unsupported("optax has no reductions to name: its users call mean or sum")
        return losses.mean() if reduction == "mean" else losses.sum()

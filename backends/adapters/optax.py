"""Optax: the softmax cross-entropy losses of ``optax.losses``, on JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Reduction, Tensor, Unsupported, given
from conformance.backends.runtimes.base import Runtime
from conformance.backends.runtimes.jax import JaxRuntime

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import optax

__all__ = ["Optax"]


class Optax(Adapter):
    """``optax.softmax_cross_entropy_with_integer_labels`` and ``optax.softmax_cross_entropy``.

    Composition ``safe`` is ``optax.losses.safe_softmax_cross_entropy``, for class probabilities, and nothing else.
    """

    framework: ClassVar[str] = "optax"
    profile: ClassVar[str] = "optax"
    runs_on: ClassVar[type[Runtime]] = JaxRuntime
    compositions: ClassVar[tuple[str, ...]] = ("safe",)
    offers: ClassVar[Offers] = Offers(
        operations={"cross_entropy": "native"},
        label_smoothing="composed",
        probability_targets="native",
        reductions="composed",
    )

    @classmethod
    def imports(cls) -> None:
        global jax, jnp, optax
        import jax
        import jax.numpy as jnp
        import optax

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
        self.refuse(weight=weight, ignore_index=ignore_index)
        options, masked = given(axis=axis), given(where=where)
        by_index = not (jnp.ndim(targets) == jnp.ndim(logits) and jnp.issubdtype(targets.dtype, jnp.floating))
        if self.composition == "safe":
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

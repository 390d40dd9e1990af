"""Optax: the softmax cross-entropy losses of ``optax.losses``, on JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, Tensor, Unsupported, given
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

    framework = "optax"
    profile = "optax"
    runs_on = JaxRuntime
    compositions = ("safe",)
    offers = Offers(
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
        self, logits: Tensor, targets: Tensor, *, where: Tensor | None = None, **options: Unpack[CrossEntropyOptions]
    ) -> Tensor:
        axis, label_smoothing, reduction = self.only(options, "axis", "label_smoothing", "reduction")
        by_index = not (jnp.ndim(targets) == jnp.ndim(logits) and jnp.issubdtype(targets.dtype, jnp.floating))
        if self.composition == "safe":
            if where is not None or by_index or label_smoothing or axis not in (None, -1, logits.ndim - 1):
                raise Unsupported("safe_softmax_cross_entropy takes class probabilities along the last axis, unmasked")
            losses = optax.losses.safe_softmax_cross_entropy(logits, targets)
        elif by_index and not label_smoothing:
            stated = given(axis=axis, where=where)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets, **stated)
        else:
            if by_index:
                class_axis = -1 if axis is None else axis
                targets = jax.nn.one_hot(targets, logits.shape[class_axis], dtype=logits.dtype, axis=class_axis)
            if label_smoothing:
                targets = optax.smooth_labels(targets, label_smoothing, **given(axis=axis))
            losses = optax.softmax_cross_entropy(logits, targets, **given(axis=axis, where=where))
        return self.reduced(losses, reduction, jnp.mean, jnp.sum)

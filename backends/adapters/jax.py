"""JAX: ``jax.nn`` for softmax and log_softmax; the losses as the compositions that its users write.

JAX has no loss functions. The labelled log-probability is picked with ``jnp.take_along_axis``; class probabilities are
multiplied, as in JAX's training cookbook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Reduction, Tensor, Unsupported, given
from conformance.backends.runtimes.base import Runtime
from conformance.backends.runtimes.jax import JaxRuntime

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp

__all__ = ["Jax"]


class Jax(Adapter):
    """``jax.nn``, jitted by default.

    Two compositions are of cross_entropy, and of nothing else: ``logsumexp`` is ``logsumexp(x) - x_y``; ``one-hot`` is
    the training cookbook's product with one-hot labels.
    """

    framework: ClassVar[str] = "jax"
    profile: ClassVar[str] = "jax"
    library: ClassVar[str] = "jax.nn"
    runs_on: ClassVar[type[Runtime]] = JaxRuntime
    compositions: ClassVar[tuple[str, ...]] = ("logsumexp", "one-hot")
    offers: ClassVar[Offers] = Offers(
        operations={"softmax": "native", "log_softmax": "native", "nll_loss": "composed", "cross_entropy": "composed"},
        probability_targets="composed",
        reductions="composed",
    )

    @classmethod
    def imports(cls) -> None:
        global jax, jnp
        import jax
        import jax.numpy as jnp

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        self._only_class_indices_have_another_composition()
        return jax.nn.softmax(logits, **given(axis=axis, where=where))

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        self._only_class_indices_have_another_composition()
        return jax.nn.log_softmax(logits, **given(axis=axis, where=where))

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
        self._only_class_indices_have_another_composition()
        self.refuse(weight=weight, ignore_index=ignore_index)
        return _reduced(-_picked(log_probabilities, targets, -1 if axis is None else axis), reduction)

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
        self.refuse(weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing or None)
        axis = -1 if axis is None else axis
        masked = given(where=where)
        probabilities = jnp.ndim(targets) == jnp.ndim(logits) and jnp.issubdtype(targets.dtype, jnp.floating)
        if masked or probabilities:
            self._only_class_indices_have_another_composition()
        if self.composition == "logsumexp":
            losses = jax.nn.logsumexp(logits, axis=axis) - _picked(logits, targets, axis)
        elif probabilities:
            losses = -(targets * jax.nn.log_softmax(logits, axis=axis, **masked)).sum(axis=axis)
        elif self.composition == "one-hot":
            labels = jax.nn.one_hot(targets, logits.shape[axis], dtype=logits.dtype, axis=axis)
            losses = -(labels * jax.nn.log_softmax(logits, axis=axis)).sum(axis=axis)
        else:
            losses = -_picked(jax.nn.log_softmax(logits, axis=axis, **masked), targets, axis)
        return _reduced(losses, reduction)

    def _only_class_indices_have_another_composition(self) -> None:
        if self.composition:
            raise Unsupported(
                f"{self.composition} is a composition of cross_entropy with class indices, and no mask of classes, only"
            )


def _picked(values: Tensor, targets: Tensor, axis: int) -> Tensor:
    return jnp.take_along_axis(values, jnp.expand_dims(targets, axis), axis=axis).squeeze(axis)


def _reduced(losses: Tensor, reduction: Reduction | None) -> Tensor:
    if reduction in (None, "none"):
        return losses
    if reduction not in ("mean", "sum"):
        raise Unsupported("JAX has no reductions to name: its users call mean or sum")
    return losses.mean() if reduction == "mean" else losses.sum()

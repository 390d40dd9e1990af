"""JAX: ``jax.nn`` for softmax and log_softmax. It has no losses: they are composed as its training cookbook does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, NllLossOptions, Tensor, Unsupported, given
from conformance.backends.runtimes.jax_ranks import JaxRanksRuntime

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp

__all__ = ["Jax"]


class Jax(Adapter):
    """``jax.nn``; composition ``logsumexp`` is ``logsumexp(x) - x_y``, ``one-hot`` a product with one-hot labels."""

    framework = "jax"
    profile = "jax"
    library = "jax.nn"
    runs_on = JaxRanksRuntime
    runtime: JaxRanksRuntime
    compositions = ("logsumexp", "one-hot")
    composed = ("cross_entropy",)
    offers = Offers(
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
        logits = self.runtime.divided(logits, -1 if axis is None else axis)
        return jax.nn.softmax(logits, **given(axis=axis, where=where))

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        logits = self.runtime.divided(logits, -1 if axis is None else axis)
        return jax.nn.log_softmax(logits, **given(axis=axis, where=where))

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        axis, reduction = self.only(options, "axis", "reduction")
        axis = -1 if axis is None else axis
        losses = -_picked(self.runtime.divided(log_probabilities, axis), targets, axis)
        return self.reduced(losses, reduction, jnp.mean, jnp.sum)

    def cross_entropy(
        self, logits: Tensor, targets: Tensor, *, where: Tensor | None = None, **options: Unpack[CrossEntropyOptions]
    ) -> Tensor:
        axis, reduction = self.only(options, "axis", "reduction")
        axis = -1 if axis is None else axis
        logits = self.runtime.divided(logits, axis)
        probabilities = jnp.ndim(targets) == jnp.ndim(logits) and jnp.issubdtype(targets.dtype, jnp.floating)
        if self.composition and (probabilities or where is not None):
            raise Unsupported(f"{self.composition} is of class indices without a mask of classes")
        if self.composition == "one-hot":
            targets, probabilities = jax.nn.one_hot(targets, logits.shape[axis], dtype=logits.dtype, axis=axis), True
        if self.composition == "logsumexp":
            losses = jax.nn.logsumexp(logits, axis=axis) - _picked(logits, targets, axis)
        elif probabilities:
            losses = -(targets * jax.nn.log_softmax(logits, axis=axis, **given(where=where))).sum(axis=axis)
        else:
            losses = -_picked(jax.nn.log_softmax(logits, axis=axis, **given(where=where)), targets, axis)
        return self.reduced(losses, reduction, jnp.mean, jnp.sum)


def _picked(values: Tensor, targets: Tensor, axis: int) -> Tensor:
    return jnp.take_along_axis(values, jnp.expand_dims(targets, axis), axis=axis).squeeze(axis)

"""TensorFlow: ``tf.nn``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, Tensor, given
from conformance.backends.runtimes.tensorflow import TensorFlowRuntime

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["TensorFlow"]


class TensorFlow(Adapter):
    """``tf.nn``, whose documentation shows neither an nll_loss nor a composition of one."""

    framework = "tensorflow"
    profile = "tensorflow"
    library = "tf.nn"
    runs_on = TensorFlowRuntime
    offers = Offers(
        operations={"softmax": "native", "log_softmax": "native", "cross_entropy": "native"},
        probability_targets="native",
        reductions="composed",
    )

    @classmethod
    def imports(cls) -> None:
        global tf
        import tensorflow as tf

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return tf.nn.softmax(logits, **given(axis=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return tf.nn.log_softmax(logits, **given(axis=axis))

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        axis, reduction = self.only(options, "axis", "reduction")
        if tf.is_tensor(targets) and targets.dtype.is_floating and len(targets.shape) == len(logits.shape):
            losses = tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits, **given(axis=axis))
        else:
            if axis is not None and axis not in (-1, len(logits.shape) - 1):  # the sparse loss takes the last axis only
                logits = tf.experimental.numpy.moveaxis(logits, axis, -1)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        return self.reduced(losses, reduction, tf.reduce_mean, tf.reduce_sum)

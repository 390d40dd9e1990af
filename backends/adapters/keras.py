"""Keras: its softmax, log_softmax and crossentropies, on the engine that a subclass names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, Setup, Tensor, Unsupported, given

if TYPE_CHECKING:
    import keras

__all__ = ["Keras"]


class Keras(Adapter):
    """The loss classes, computing in the logits' dtype; composition ``function`` is the functions of ``keras.losses``.

    Keras has no label smoothing of class indices. Its own weights are one for each position: those of the labels.
    """

    framework = "keras"
    compositions = ("function",)
    composed = ("cross_entropy", "log_loss")
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "cross_entropy", "log_loss"), "native"),
        weight="composed",
        ignore_index="native",
        label_smoothing="native",
        probability_targets="native",
        reductions="native",
    )
    engine: ClassVar[str]  # what KERAS_BACKEND says

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        own = {} if setup.cache is None else {"KERAS_HOME": str(setup.cache / "keras")}  # not the user's own settings
        os.environ |= {"KERAS_BACKEND": cls.engine, **own}
        super().prepare(setup)

    @classmethod
    def imports(cls) -> None:
        """Raises RuntimeError where the process has Keras on another engine already: it is chosen on import."""
        global keras
        import keras

        if os.environ.get("KERAS_BACKEND") != keras.backend.backend():
            raise RuntimeError(f"in this process Keras runs on {keras.backend.backend()} already")

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return keras.ops.softmax(logits, **given(axis=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return keras.ops.log_softmax(logits, **given(axis=axis))

    def log_loss(self, probabilities: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return self._crossentropy(probabilities, targets, from_logits=None, **options)  # as by default

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return self._crossentropy(logits, targets, from_logits=True, **options)

    def _crossentropy(self, logits: Tensor, targets: Tensor, from_logits: bool | None, **options: Any) -> Tensor:
        axis, ignored, smoothing = options["axis"], options["ignore_index"], options["label_smoothing"]
        weight = options.get("weight")
        probable = keras.backend.is_float_dtype(getattr(targets, "dtype", "int64")) and targets.ndim == logits.ndim
        sparse = not probable
        if sparse and smoothing:
            raise Unsupported("Keras smooths class probabilities, and no class indices")
        taken = given(from_logits=from_logits, axis=axis) | given(
            **({"ignore_class": ignored} if sparse else {"label_smoothing": smoothing})
        )
        if not sparse or self.composition or ignored is not None:
            self.refuse(weight=weight, ignore_index=None if sparse else ignored)
        classes = logits.shape[-1 if axis is None else axis]
        if weight is not None and weight.shape != (classes,):
            raise ValueError(f"weights of shape {weight.shape} for {classes} classes")
        if self.composition == "function":
            function = keras.losses.sparse_categorical_crossentropy if sparse else keras.losses.categorical_crossentropy
            each = function(targets, logits, **taken)
            return self.reduced(each, options["reduction"], keras.ops.mean, keras.ops.sum)
        kind = keras.losses.SparseCategoricalCrossentropy if sparse else keras.losses.CategoricalCrossentropy
        dtype = keras.backend.standardize_dtype(logits.dtype)  # without it losses are computed in float32
        taken |= given(reduction=options["reduction"], dtype=dtype if keras.backend.is_float_dtype(dtype) else None)
        weights = {} if weight is None else {"sample_weight": keras.ops.take(weight, targets)}
        return kind(**taken)(targets, logits, **weights)

"""scikit-learn: ``sklearn.metrics.log_loss``, on NumPy's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, Tensor, Unsupported, given
from conformance.backends.runtimes.numpy import NumpyRuntime

if TYPE_CHECKING:
    import numpy as np
    import sklearn.metrics

__all__ = ["ScikitLearn"]


class ScikitLearn(Adapter):
    """``sklearn.metrics.log_loss``, the loss of probabilities that are given; there is no differentiation."""

    framework = "sklearn"
    profile = "sklearn"
    library = "sklearn.metrics"
    runs_on = NumpyRuntime
    offers = Offers(operations={"log_loss": "native"}, weight="composed", reductions="native", gradient="unsupported")

    @classmethod
    def imports(cls) -> None:
        global np, sklearn
        import numpy as np
        import sklearn.metrics

    def log_loss(self, probabilities: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        """The loss, computed in float64 and rounded to the dtype of ``probabilities``, in which it may be infinite.

        Raises Unsupported but for (N, C) with the classes last, for an option or a reduction that log_loss lacks, and
        for what is not a probability, which it checks.
        """
        axis, weight, reduction = self.only(options, "axis", "weight", "reduction")
        if axis not in (None, 1, -1) or probabilities.ndim != 2:
            raise Unsupported("log_loss takes one axis of positions, and one of classes behind it")
        if reduction not in (None, "mean", "sum"):
            raise Unsupported("log_loss has a sum and a mean, and no word for a reduction")
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise Unsupported("log_loss takes predictions from 0 to 1, of which NaN is none")
        stated = given(
            sample_weight=None if weight is None else weight[targets],
            normalize=None if reduction is None else reduction == "mean",
        )
        loss = sklearn.metrics.log_loss(targets, probabilities, labels=np.arange(probabilities.shape[1]), **stated)
        return np.asarray(loss, probabilities.dtype)  # from a float of Python's

"""SciPy: ``scipy.special``, on NumPy's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Tensor, given
from conformance.backends.runtimes.numpy import NumpyRuntime

if TYPE_CHECKING:
    import scipy.special

__all__ = ["SciPy"]


class SciPy(Adapter):
    """``scipy.special.softmax`` and ``scipy.special.log_softmax``; SciPy has no loss and no differentiation."""

    framework = "scipy"
    profile = "scipy"
    library = "scipy.special"
    runs_on = NumpyRuntime
    offers = Offers(operations={"softmax": "native", "log_softmax": "native"}, gradient="unsupported")

    @classmethod
    def imports(cls) -> None:
        global scipy
        import scipy.special

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return scipy.special.softmax(logits, **given(axis=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return scipy.special.log_softmax(logits, **given(axis=axis))

"""The arithmetic that each class of soundness allows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from conformance.model.classes import Letter
from conformance.numerics.formats import FORMATS, DtypeName, Float64Array, Format

__all__ = ["Arithmetic", "arithmetic", "gamma"]

#: What "accumulated wider" means for the half types: float32, in any order.
WIDE = FORMATS["float32"].unit_roundoff


@dataclass(frozen=True)
class Arithmetic:
    """What a class permits inside.

    ``compute`` is the format of the intermediates, ``store`` that of input and output; ``k_exp`` and ``k_log`` bound
    the error of exp and log in unit roundoffs of ``compute``; ``order`` is how sums may be formed; ``shifted`` says
    that the loss is formed from differences to the maximum, so that a common offset of the logits does not matter.
    """

    letter: Letter
    compute: Format
    store: Format
    k_exp: float
    k_log: float
    order: Literal["pairwise", "any", "wide"]
    shifted: bool = True

    @property
    def u(self) -> float:
        """Unit roundoff of the intermediates."""
        return self.compute.unit_roundoff

    @property
    def u_store(self) -> float:
        """What storing the result adds: the unit roundoff of the output where it is coarser than ``compute``, else 0.

        Where both formats agree the bounds already count the last rounding.
        """
        return 0.0 if self.store is self.compute else self.store.unit_roundoff

    @property
    def climb(self) -> float:
        """What one rescaling of a running sum costs, in units of u, while the maximum is being found.

        It is an exponential and a product. A pairwise sum knows its maximum; a wide one rescales in float32.
        """
        if self.order == "pairwise":
            return 0.0
        return (self.k_exp + 1.0) * (WIDE / self.u if self.order == "wide" else 1.0)

    def height(self, terms: npt.ArrayLike) -> Float64Array:
        """The roundings, in units of u, that a term passes through when ``terms`` of them are summed.

        ``terms`` is a count, or an array of counts, whose shape the result has. Adding a zero is exact, so only terms
        that are not zero count. A wide sum is rounded to the compute format once, and its float32 additions weigh
        2^-24/u each.
        """
        additions = np.maximum(np.asarray(terms, dtype=np.float64) - 1.0, 0.0)
        if self.order == "any":
            return additions
        if self.order == "wide":
            return (additions > 0) + additions * (WIDE / self.u)
        return np.frexp(additions)[1].astype(np.float64)  # the bit length of terms - 1 is the ceiling of log2(terms)

    def nested_height(self, each: Float64Array, rows: Float64Array, total: Float64Array) -> Float64Array:
        """The same for ``rows`` sums of at most ``each`` terms and their sum, or a flat sum of all ``total`` terms."""
        if self.order == "any":
            return self.height(total)
        additions = np.maximum(total - 1.0, 0.0)
        if self.order == "wide":
            return np.minimum((each > 1.0) + (rows > 1.0) * 1.0, additions) + additions * (WIDE / self.u)
        return np.minimum(self.height(each) + self.height(rows), additions)

    def eta(self, flushed: bool) -> float:
        """The error of a result that underflows, in the output's format."""
        return self.store.least_normal if flushed else self.store.least_subnormal

    def eta_compute(self, flushed: bool) -> float:
        """The error of an intermediate that underflows."""
        return self.compute.least_normal if flushed else self.compute.least_subnormal

    def eta_exp(self, flushed: bool) -> float:
        """The error of an exponential that underflows: as many ulps as above the underflow threshold, or all of it."""
        kept = 0.5 * self.k_exp * self.compute.least_subnormal
        return max(kept, self.compute.least_normal) if flushed else kept


def gamma(hu: npt.ArrayLike) -> Float64Array:
    """hu/(1 − hu), elementwise; infinite for hu ≥ 1.

    N. J. Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1.
    """
    ratio = np.asarray(hu, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(ratio < 1.0, ratio / (1.0 - ratio), np.inf)


@cache
def arithmetic(letter: Letter, dtype: DtypeName) -> Arithmetic:
    """The arithmetic of class A to E for a dtype; raises KeyError for a class that the dtype does not have."""
    store = FORMATS[dtype]
    wide = FORMATS["float32"] if store.is_half else store
    match letter:
        case "A":
            return Arithmetic("A", wide, store, 2.0, 2.0, "pairwise")
        case "B":
            return Arithmetic("B", wide, store, 8.0, 8.0, "any")
        case "C":
            return Arithmetic("C", wide, store, 8.0, 8.0, "any", shifted=False)
        case "D" if store.is_half:
            return Arithmetic("D", store, store, 8.0, 8.0, "wide")
        case "E" if store.is_half:
            return Arithmetic("E", store, store, 8.0, 8.0, "any")
    raise KeyError(f"{dtype} has no class {letter}")

"""A computer that errs as much as a class of arithmetic permits, in directions that a search can choose.

Numbers are held as extended-precision floats. A rounding is either that of the format, or the worst that the model
``fl(x) = x(1 + δ), |δ| ≤ u`` admits (``adverse``), up or down by stage. Functions err by k_e and k_l roundings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from conformance.bounds.classes import Arithmetic
from conformance.numerics.formats import FORMATS, Format, numpy_dtype

__all__ = ["EXTENDED", "ORDERS", "Long", "Machine", "Order", "long"]

Long = npt.NDArray[np.longdouble]
Order = Literal["sequential", "reversed", "ascending", "descending", "blocked", "pairwise"]
ORDERS: tuple[Order, ...] = ("sequential", "reversed", "ascending", "descending", "blocked", "pairwise")


#: Is there a format wider than float64? Its own roundings can be seen only from there.
EXTENDED = np.finfo(np.longdouble).nmant >= 63


def long(values: npt.ArrayLike) -> Long:
    return np.asarray(values).astype(np.longdouble)


def nearest(x: Long, form: Format) -> Long:
    """Rounded to the nearest of the format, subnormal numbers kept."""
    with np.errstate(over="ignore", invalid="ignore"):
        return long(x.astype(numpy_dtype(form.name)))


def unit(form: Format) -> float:
    """The unit roundoff, less what extended precision adds to it: that is 2^-11 of float64's."""
    return form.unit_roundoff * (1.0 - 2.0**-8) if form.name == "float64" else form.unit_roundoff


@dataclass
class Machine:
    """``signs`` maps a stage of the evaluation to −1 or +1, the direction of its errors; 0 draws each at random."""

    kind: Arithmetic
    adverse: bool = True
    flushed: bool = False
    order: Order = "sequential"
    signs: dict[str, int] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        if self.kind.order == "pairwise":
            self.order = "pairwise"

    def sign(self, stage: str, like: Long) -> Any:
        chosen = self.signs.get(stage, 1)
        return self.rng.choice([-1.0, 1.0], size=like.shape) if chosen == 0 else float(chosen)

    def round(self, x: Long, stage: str, form: Format | None = None) -> Long:
        """The result of a basic operation whose exact value is ``x``."""
        form = form or self.kind.compute
        rounded = nearest(x, form)
        if self.adverse:
            off = x + self.sign(stage, x) * unit(form) * np.abs(x)
            model = (rounded != x) & (np.abs(x) >= 2 * form.least_normal) & np.isfinite(rounded)
            rounded = np.where(model, off, rounded)
        return self.flush(rounded, form)

    def mul(self, a: Long, b: Long, stage: str = "mul") -> Long:
        """A product: exact where a factor is 0 or ±1, whatever the other is."""
        exact = a * b
        plain = np.isin(np.abs(a), (0.0, 1.0)) | np.isin(np.abs(b), (0.0, 1.0))
        return np.where(plain, exact, self.round(exact, stage))

    def add(self, a: Long, b: Long, stage: str = "add") -> Long:
        """A sum or, for a negative ``b``, a difference: exact where a term is 0."""
        exact = a + b
        return np.where((a == 0) | (b == 0), exact, self.round(exact, stage))

    def div(self, a: Long, b: Long) -> Long:
        return np.where((a == 0) | (np.abs(b) == 1), a / b, self.round(a / b, "div"))

    def flush(self, x: Long, form: Format) -> Long:
        return np.where(np.abs(x) < form.least_normal, np.longdouble(0), x) if self.flushed else x

    def load(self, values: npt.ArrayLike) -> Long:
        """An input: exact, unless subnormal inputs count as zero."""
        return self.flush(long(values), self.kind.compute)

    def exp(self, t: Long, stage: str = "exp") -> Long:
        """Off by k_e roundings; below the normal range by k_e/2 spacings, and never by more than k_e/2 times itself."""
        form, k = self.kind.compute, self.kind.k_exp
        y = np.exp(t)
        sign = self.sign(stage, y)
        if stage == "exp" and "exp_top" in self.signs:
            sign = np.where(t == 0, float(self.signs["exp_top"]), sign)
        if not self.adverse:
            k = k - 1.0 - k * k * form.unit_roundoff if form.unit_roundoff < 2.0**-20 else 0.0
        normal = y + sign * k * form.unit_roundoff * y
        small = np.maximum(y + sign * 0.5 * k * np.minimum(np.longdouble(form.least_subnormal), y), 0)
        y = np.where(y < form.least_normal, small, normal)
        return self.flush(y, form) if self.adverse else self.round(y, stage)

    def log(self, s: Long) -> Long:
        k = self.kind.k_log
        if not self.adverse:
            k = k - 1.0 - k * k * self.kind.u if self.kind.u < 2.0**-20 else 0.0
        y = np.log(s)
        y = y + self.sign("log", y) * k * self.kind.u * np.abs(y)
        return y if self.adverse else self.round(y, "log")

    # -- sums ---------------------------------------------------------------------------------------------------------

    def sum(self, terms: Long, stage: str = "sum") -> Long:
        """Along the last axis, in this machine's order; a wide sum is rounded to the compute format at its end."""
        if self.kind.order != "wide":
            return self._sum(terms, stage, self.kind.compute)
        wide = self._sum(terms, stage, FORMATS["float32"])
        return np.where(np.count_nonzero(terms, axis=-1) > 1, self.round(wide, stage), wide)

    def _sum(self, terms: Long, stage: str, form: Format) -> Long:
        n = terms.shape[-1]
        if n == 0:
            return np.zeros(terms.shape[:-1], dtype=np.longdouble)
        if self.order == "pairwise":
            while terms.shape[-1] > 1:
                odd = terms[..., -1:] if terms.shape[-1] % 2 else terms[..., :0]
                pairs = terms[..., : terms.shape[-1] // 2 * 2]
                left, right = pairs[..., ::2], pairs[..., 1::2]
                exact = left + right  # adding zero is exact
                sums = np.where((left == 0) | (right == 0), exact, self.round(exact, stage, form))
                terms = np.concatenate([sums, odd], axis=-1)
            return terms[..., 0]
        if self.order == "reversed":
            terms = terms[..., ::-1]
        elif self.order in ("ascending", "descending"):
            terms = np.sort(terms, axis=-1)
            terms = terms if self.order == "ascending" else terms[..., ::-1]
        elif self.order == "blocked" and n > 32:
            pad = np.zeros((*terms.shape[:-1], -n % 32), dtype=np.longdouble)
            blocks = np.concatenate([terms, pad], axis=-1).reshape(*terms.shape[:-1], -1, 32)
            terms = self._sequential(blocks, stage, form)
        return self._sequential(terms, stage, form)

    def _sequential(self, terms: Long, stage: str, form: Format) -> Long:
        if not self.adverse:
            native = terms.astype(numpy_dtype(form.name))
            return self.flush(long(np.add.accumulate(native, axis=-1, dtype=native.dtype)[..., -1]), form)
        partial = np.cumsum(terms, axis=-1)
        # A sum is inexact unless a partial sum or its new term is zero.
        new = partial[..., 1:]
        inexact = (terms[..., 1:] != 0) & (partial[..., :-1] != 0) & (new != nearest(new, form))
        errors = np.where(inexact, np.abs(new), 0) * self.sign(stage, new)
        return self.flush(partial[..., -1] + unit(form) * errors.sum(axis=-1), form)

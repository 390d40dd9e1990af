"""The loss of probabilities: what a backend declares of its clip and its division by the sum, and who is not asked."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.select import select
from conformance.model.outcome import Outcome
from conformance.model.policies import NORMATIVE, POLICIES
from conformance.profiles.profile import Declared
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY, SUITE
from tests.yardstick.kernel import Kernel

GIVEN = select(
    SUITE, expression="log-loss and (impossible or certain or clip-at or unnormalised or small or smoothing or weights)"
)


class _Clips(Kernel):
    """Predictions are clipped, and divided by their sum before that or after it; so is what is differentiated."""

    policies: ClassVar[dict[str, Any]] = {}
    first = last = False

    def ends(self, dtype: Any) -> tuple[float, float]:
        return -np.inf, np.inf

    def predicted(self, p: Any) -> Any:
        low, high = self.ends(self.given_dtype)
        p = p / self.total(p)[:, np.newaxis] if self.first else p
        p = np.clip(p, p.dtype.type(low), p.dtype.type(high))
        return p / self.total(p)[:, np.newaxis] if self.last else p

    def given(self, given: Any) -> Any:
        self.given_dtype = given.logits.dtype
        return given

    def given_gradient(self, ask: Any, upstream: Any) -> Any:
        a, p = self.coefficients(ask), ask.x
        low, high = self.ends(self.given_dtype)
        total = self.total(p)[:, np.newaxis] if self.first else p.dtype.type(1)
        q = p / total
        passes = (q >= low) & (q <= high)
        q = np.clip(q, p.dtype.type(low), p.dtype.type(high))
        slope = np.where(a * passes == 0, 0, -a / q)
        if self.first:
            slope = (self.total(a * passes)[:, np.newaxis] + slope) / total
        if self.last:
            slope = passes * (self.total(a)[:, np.newaxis] / self.total(q)[:, np.newaxis] + slope)
        return np.where(ask.valid[:, np.newaxis], self.scale(ask, upstream) * slope, 0)


class At1e7(_Clips):
    """As Keras's sparse loss does on JAX, torch and NumPy."""

    policies: ClassVar = {"probability-clipping": 1e-7}

    def ends(self, dtype: Any) -> tuple[float, float]:
        return float(dtype.type(1e-7)), float(dtype.type(1 - 1e-7))


class AtEps(_Clips):
    """As scikit-learn does, but at the lower end alone."""

    policies: ClassVar = {"probability-clipping": "eps-of-dtype", "clipped-ends": "lower"}

    def ends(self, dtype: Any) -> tuple[float, float]:
        return 2.0 ** {"float64": -52, "float32": -23, "float16": -10, "bfloat16": -7}[dtype.name], np.inf


class NormalisedAt1e7(At1e7):
    """As Keras's categorical loss does."""

    policies: ClassVar = {"probability-clipping": 1e-7, "unnormalised-predictions": "normalised"}
    first = True


class Normalised(_Clips):
    """As scikit-learn did before 1.5, but for its clip."""

    policies: ClassVar = {"unnormalised-predictions": "normalised"}
    first = True


class ClippedAndNormalised(At1e7):
    """As Keras's sparse loss does on TensorFlow."""

    policies: ClassVar = {"probability-clipping": 1e-7, "unnormalised-predictions": "clipped-and-normalised"}
    last = True


def outcomes(backend: Any, declared: dict[str, Any]) -> list[Outcome]:
    policies = {name: Declared(value=value, documentation="undocumented") for name, value in declared.items()}
    profile = msgspec.structs.replace(NUMPY, policies={**NUMPY.policies, **policies})
    found = judged(backend, GIVEN, dtypes=("float64", "float16"), subject=Subject("mine", profile=profile))
    return [outcome for unit in found for outcome in unit if outcome.check in ("value", "gradient", "policy", "split")]


@pytest.mark.parametrize("kind", [At1e7, AtEps, Normalised, NormalisedAt1e7, ClippedAndNormalised])
def test_a_clip_and_a_division_are_deviations_where_they_are_declared(kind: type[_Clips]) -> None:
    found = outcomes(kind(), kind.policies)
    wrong = [(o.case, o.dtype, o.reduction, o.check, o.policy, o.observed, o.expected) for o in found if _fails(o)]
    assert wrong == []
    assert any(o.verdict == "deviation" and o.check == "gradient" for o in found)
    for name, value in kind.policies.items():
        seen = [{*o.observed} for o in found if o.policy == name]
        assert any(str(value) in each and str(getattr(NORMATIVE, POLICIES[name].field)) not in each for each in seen)


@pytest.mark.parametrize("kind", [At1e7, Normalised])
def test_and_fail_where_they_are_not(kind: type[_Clips]) -> None:
    found = outcomes(kind(), {})
    assert {o.policy for o in found if _fails(o)} >= {"", *kind.policies}


class SmallSumsAreOff(NormalisedAt1e7):
    """Divides by a sum that is 5 % off where it is small: a loss of ln 2 is off by 0.05."""

    def total(self, p: Any) -> Any:
        whole = super().total(p)
        return np.where(whole < 1e-3, whole * whole.dtype.type(1.05), whole)


def test_the_bound_of_a_quotient_does_not_grow_where_the_sum_is_small() -> None:
    found = outcomes(SmallSumsAreOff(), SmallSumsAreOff.policies)
    small = [o for o in found if o.case == "log-loss-of-a-small-probability" and o.check == "value"]
    assert {o.dtype for o in small if _fails(o)} == {"float64", "float16"}


def _fails(outcome: Outcome) -> bool:
    return outcome.verdict not in ("pass", "deviation", "not run", "unsupported")


class WithoutIt(Numpy):
    """A library that has no such loss: the contract's own method."""

    from conformance.backends.contract import Backend

    log_loss = Backend.log_loss


def test_a_backend_without_the_operation_is_not_asked_for_it() -> None:
    backend = WithoutIt()
    backend.evaluate = None  # type: ignore[assignment, method-assign]
    found = [outcome for unit in judged(backend, GIVEN) for outcome in unit]
    assert {(o.verdict, o.reason, o.detail) for o in found} == {("unsupported", "required", "log_loss")}
    assert len(found) == sum(len(entry.case.dtypes) for entry in GIVEN)
    assert {(o.check, o.error) for o in found} == {("value", None)}

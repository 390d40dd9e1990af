"""What has the digits of a narrower dtype is wrong, and is known to be right there; what is wrong otherwise is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Backend
from conformance.cases.select import select
from conformance.model.outcome import Outcome
from conformance.model.wording import message
from conformance.profiles.profile import UNDECLARED
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import SUITE, declaring
from tests.yardstick.ask import Ask
from tests.yardstick.kernel import Kernel
from tests.yardstick.wrong import casts, sums
from tests.yardstick.wrong.dtypes import ResultInFloat32

CASES = "directions-with-a-wide-spread or directions-of-cross-entropy-with-a-weight or derived.labels.pixels"


def fails(kind: type[Backend], cases: str = CASES) -> list[Outcome]:
    """The fails of a backend that declares nothing."""
    found = judged(kind(), select(SUITE, expression=cases), subject=Subject("mine", profile=UNDECLARED))
    return [each for unit in found for each in unit if each.verdict == "fail" and each.check != "policy"]


class MeanOfHalfTheLosses(Kernel):
    """Wrong in every dtype."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, losses) / 2


class LogitsInFloat32(Kernel):
    """Logits beyond the range of float32 are infinite before anything is computed."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        with np.errstate(over="ignore"):
            return x.astype(np.float32).astype(x.dtype)


class WithoutReduction(casts.ExponentialInFloat32ForFloat64):
    """Whatever is asked for is not reduced."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return losses


class Nonsense(Kernel):
    """Results have nothing to do with the inputs."""

    def stored(self, result: Any, dtype: Any) -> Any:
        return np.full_like(np.asarray(result).astype(dtype), 0.9)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, np.full_like(gradient, 7.0)


class ResultInFloat64(Kernel):
    """Right numbers, of a wider dtype."""

    def stored(self, result: Any, dtype: Any) -> Any:
        return np.asarray(result).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "dtype", "narrower"),
    [
        (casts.ExponentialInFloat32ForFloat64, "float64", "float32"),
        (casts.LossesSummedInFloat32ForFloat64, "float64", "float32"),
        (sums.Float32SumsOfDoubles, "float64", "float32"),
        (casts.Float16InsideFloat32, "float32", "float16"),
    ],
)
def test_what_is_computed_in_a_narrower_dtype_is_right_there(kind: type[Backend], dtype: str, narrower: str) -> None:
    found = fails(kind)
    assert {"value", "gradient", "forward-mode"} & {each.check for each in found}
    assert {(each.dtype, each.right_in) for each in found} == {(dtype, narrower)}
    assert all(message(each).endswith(f"; within the bounds of {narrower}") for each in found)


def test_a_dtype_that_does_not_hold_the_inputs_describes_nothing() -> None:
    found = fails(LogitsInFloat32, "whole-range-of-float64")
    assert "value" in {each.check for each in found} and {each.right_in for each in found} == {""}


@pytest.mark.parametrize("cases", ["softmax-at-1e8", "two-equal-logits-at-1e8", "all-logits-far-below-zero"])
def test_a_dtype_whose_spacing_leaves_nothing_of_the_result_describes_nothing(cases: str) -> None:
    found = [each for each in fails(Nonsense, cases) if each.dtype == "float64"]
    assert {"value", "gradient"} <= {each.check for each in found} and {each.right_in for each in found} == {""}


def test_results_of_a_wider_dtype_are_right_in_no_narrower_one() -> None:
    found = [each for each in fails(ResultInFloat64) if each.reason == "wrong-dtype"]
    assert len(found) > 5 and {each.right_in for each in found} == {""}


def test_what_is_wrong_in_every_dtype_is_right_in_none() -> None:
    found = fails(MeanOfHalfTheLosses)
    assert len(found) > 5 and {each.right_in for each in found} == {""}


def test_results_of_another_dtype_or_shape_are_right_in_a_narrower_dtype_by_what_is_declared() -> None:
    found = fails(ResultInFloat32, "directions-of-cross-entropy-with-a-weight")
    of_float64 = [each for each in found if each.dtype == "float64" and each.reason == "wrong-dtype"]
    assert len(of_float64) > 1 and {each.right_in for each in of_float64} == {"float32"}
    entries = select(SUITE, expression="default-reduction-of-515-positions")
    subject = Subject("mine", profile=declaring("default-reduction", "none"))
    unreduced = judged(WithoutReduction(), entries, dtypes=("float64",), subject=subject)
    shapes = [each for unit in unreduced for each in unit if each.reason == "wrong-shape"]
    assert shapes and {each.right_in for each in shapes} == {"float32"}

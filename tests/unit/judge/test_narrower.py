"""What has the digits of a narrower dtype is wrong, and is known to be right there; what is wrong otherwise is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Backend
from conformance.cases.select import select
from conformance.model.outcome import Outcome, number
from conformance.model.wording import message
from conformance.profiles.profile import UNDECLARED, Defect
from conformance.profiles.register import apply_register
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


class HalfTheLossInFloat32(ResultInFloat32, MeanOfHalfTheLosses):
    """Wrong in every dtype, and of another one."""


def of_another_dtype(kind: type[Backend], cases: str = CASES, dtype: str = "float64") -> list[Outcome]:
    """The fails of one dtype by the dtype that came back."""
    found = [each for each in fails(kind, cases) if each.dtype == dtype and each.reason == "wrong-dtype"]
    assert len(found) > 1
    return found


def test_numbers_of_a_narrower_dtype_are_held_to_its_bounds() -> None:
    for each in of_another_dtype(ResultInFloat32):
        assert (each.detail, each.declared, each.right_in) == ("float32", "B", "float32")
        assert each.class_ in ("A", "B") and number(each.ratio or 0.0) <= 1.0
        assert message(each).endswith("has dtype float32, not float64; within the bounds of float32")


@pytest.mark.parametrize(("dtype", "declared"), [("float32", "B"), ("float16", "D")])
def test_numbers_of_a_wider_dtype_are_held_to_the_bounds_of_the_due_one(dtype: str, declared: str) -> None:
    for each in of_another_dtype(ResultInFloat64, dtype=dtype):
        assert (each.detail, each.declared) == (dtype, declared)
        assert each.class_ in ("A", "B") and f"; its numbers are of class {each.class_} in {dtype}" in message(each)


def test_an_entry_of_another_dtype_alone_does_not_cover_numbers_that_are_wrong_besides() -> None:
    entry = Defect(
        id="late", cases=["*"], checks=["value"], observed=["float32"], reached=["A", "B"], why="-", issue="-", date="-"
    )
    cases = f"({CASES}) and cross"
    once = [each for each in of_another_dtype(ResultInFloat32, cases) if each.check == "value"]
    assert {each.verdict for each in apply_register([entry], once)} == {"known"}
    twice = [each for each in of_another_dtype(HalfTheLossInFloat32, cases) if each.check == "value"]
    assert {(each.class_, each.right_in) for each in twice} == {("F", "")}
    assert {each.verdict for each in apply_register([entry], twice)} == {"fail"}
    assert all("; its numbers are beyond every class in float32, " in message(each) for each in twice)


def test_numbers_that_a_narrower_dtype_does_not_hold_are_held_to_the_bounds_of_the_due_one() -> None:
    found = of_another_dtype(ResultInFloat32, "whole-range-of-float64")
    reached = {each.check: (each.detail, each.class_, each.right_in) for each in found}
    assert reached == {"value": ("float64", "F", ""), "gradient": ("float64", "A", "")}


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

"""Decimal text of the truth: correctly rounded, never guessed, and lossless for what float64 cannot hold."""

from __future__ import annotations

from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from conformance.cases.expand import expand, reference_problem
from conformance.cases.load import load_suite
from conformance.model.policies import Policies
from conformance.model.problem import Problem
from conformance.oracle.text import Undecided, decimal_text, expected_text
from conformance.places import CASES


def problem_of(tmp_path: Path, keys: str, dtype: str = "float64") -> Problem:
    file = tmp_path / "case.yaml"
    file.write_text(f"theme: t\ncases:\n  - {{id: c, why: w, {keys}}}\n", encoding="utf-8")
    return expand(load_suite([file]).entries[0], dtypes=(dtype,)).problems[0]


class TestDigits:
    @pytest.mark.parametrize("seed", range(4))
    def test_exact_numbers_round_as_decimal_does(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        for value in (random.uniform(-1, 1, 200) * 10.0 ** random.integers(-300, 300, 200)).tolist():
            text = decimal_text(arb(value))
            assert text is not None
            with localcontext() as context:
                context.prec = 17
                assert Decimal(text) == +Decimal(value)

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (1000.0, "1000"),
            (0.1, "0.10000000000000001"),
            (1e-7, "9.9999999999999995e-8"),
            (5e-324, "4.9406564584124654e-324"),
            (2.0**60, "1.1529215046068470e18"),
            (99999999999999999.0, "1.0e17"),
        ],
    )
    def test_exact_numbers_are_as_short_as_they_are(self, value: float, text: str) -> None:
        assert decimal_text(arb(value)) == text

    @pytest.mark.parametrize(("ball", "text"), [(arb.nan(), "nan"), (arb.pos_inf(), "inf"), (arb.neg_inf(), "-inf")])
    def test_specials_go_by_name(self, ball: arb, text: str) -> None:
        assert decimal_text(ball) == text

    def test_a_ball_that_is_too_wide_decides_nothing(self) -> None:
        with ctx.workprec(40):
            assert decimal_text(arb(2).log()) is None
        with ctx.workprec(100):
            assert decimal_text(arb(2).log()) == "0.69314718055994531"

    def test_a_number_below_what_text_is_for_is_refused(self) -> None:
        with pytest.raises(Undecided):
            decimal_text(arb(-1e300).exp())


class TestExpectedText:
    def test_small_losses_keep_digits_that_no_float_holds(self, tmp_path: Path) -> None:
        problem = problem_of(tmp_path, "op: cross_entropy, logits: [[1000, 0]], targets: [0]")
        with mpmath.workdps(40):
            truth = mpmath.nstr(mpmath.log1p(mpmath.exp(-1000)), 17)
        assert Decimal(str(expected_text(problem, "mean"))) == Decimal(truth)

    def test_every_reduction_has_its_shape(self, tmp_path: Path) -> None:
        problem = problem_of(tmp_path, "op: cross_entropy, logits: [[0, 0], [0, 0]], targets: [1, 0]")
        ln2 = "0.69314718055994531"
        assert expected_text(problem, "none") == [ln2, ln2]
        assert expected_text(problem, "sum") == "1.3862943611198906"
        assert expected_text(problem, "mean") == ln2

    def test_arrays_follow_the_class_axis(self, tmp_path: Path) -> None:
        problem = problem_of(tmp_path, "op: softmax, logits: [[1, 1, 1], [1, 1, 1]], axis: 0")
        assert expected_text(problem, "value") == [["0.50000000000000000"] * 3] * 2

    def test_the_gradient_is_that_of_the_first_reduction(self, tmp_path: Path) -> None:
        keys = "op: cross_entropy, logits: [[0, 0]], targets: [1], upstream: 3, reductions: [sum, none]"
        gradient = expected_text(problem_of(tmp_path, keys), "gradient")
        assert np.array(gradient, dtype=float).tolist() == [[1.5, -1.5]]

    def test_default_arguments_are_resolved(self, tmp_path: Path) -> None:
        keys = (
            "op: cross_entropy, logits: [[0, 0], [5, 7]], targets: [0, -100], axis: default, "
            "reductions: [default, none]"
        )
        problem = problem_of(tmp_path, keys)
        assert expected_text(problem, "default") == "0.69314718055994531"
        assert expected_text(problem, "none") == ["0.69314718055994531", "0"]

    @pytest.mark.parametrize(("policy", "text"), [("nan", "nan"), ("zero", "0"), ("inf", "inf"), (-1, "-1")])
    def test_a_mean_without_positions_is_the_policys(self, tmp_path: Path, policy: Any, text: str) -> None:
        keys = "op: cross_entropy, logits: [[0, 0]], targets: [-1], ignore_index: -1"
        policies = Policies(mean_of_all_ignored=policy)
        assert expected_text(problem_of(tmp_path, keys), "mean", policies) == text

    def test_terms_that_cancel_leave_zero(self, tmp_path: Path) -> None:
        keys = "op: cross_entropy, logits: [[0, 0], [1, 1]], targets: [0, 1], weight: [1, -1], reductions: [sum]"
        assert expected_text(problem_of(tmp_path, keys), "sum") == "0"

    @pytest.mark.parametrize(
        "keys",
        [
            "op: cross_entropy, logits: [[0, 0]], targets: [2]",
            "op: cross_entropy, logits: [[0, 0]], targets: [0, 1], expect: {error: shape}",
            "op: softmax, logits: [[0, 0]], axis: 7, expect: {error: axis}",
            "op: cross_entropy, logits: [[1.0e+5, 0]], targets: [0], reductions: [none]",
        ],
    )
    def test_there_is_none_where_there_is_no_value_or_no_text(self, tmp_path: Path, keys: str) -> None:
        assert expected_text(problem_of(tmp_path, keys), "none") is None


@pytest.mark.slow
def test_the_suites_own_values_are_mpmaths() -> None:
    """A second library, the definition written out again: plain cross-entropy of literal logits over all of the
    suite.
    """
    checked = 0
    for entry in load_suite([CASES]).entries:
        case = entry.case
        plain = case.op == "cross_entropy" and case.weight is None and not case.label_smoothing and case.expected
        problem = reference_problem(entry) if plain and "sum" in (case.expected or {}) else None
        if problem is None or problem.target_kind != "indices" or problem.logits.ndim != 2 or problem.axis != 1:
            continue
        x, targets = problem.logits.astype(np.float64), np.asarray(problem.targets)
        if not np.isfinite(x).all() or ((targets < 0) | (targets >= x.shape[1])).any() or case.ignore_index is not None:
            continue
        with mpmath.workdps(500):
            moderate = [row for row in x.tolist() if np.abs(row).max() < 1e6]
            rows = [mpmath.fsum(mpmath.exp(mpmath.mpf(v)) for v in row) for row in moderate]
            if len(rows) < len(x):
                continue
            total = mpmath.fsum(mpmath.log(s) - x[i, targets[i]] for i, s in enumerate(rows))
            written = mpmath.mpf(str((case.expected or {})["sum"]))
            near = mpmath.almosteq(total, written, rel_eps=mpmath.mpf(10) ** -16, abs_eps=mpmath.mpf(10) ** -400)
            assert near, case.id
        checked += 1
    assert checked > 50

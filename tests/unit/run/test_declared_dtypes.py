"""A backend is asked in the dtypes that its profile declares, and in no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.load import Entry, load_suite
from conformance.fuzz.offered import weights_of
from conformance.model.dtypes import DTYPES
from conformance.model.outcome import Outcome
from conformance.model.wording import message
from conformance.profiles.profile import Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY

CASES = """\
theme: dtypes
cases:
  - {id: normaliser, why: w, op: softmax, logits: [[0.5, 1, 2]]}
  - {id: loss, why: w, op: cross_entropy, logits: [[0.5, 1, 2], [1, 0.25, 0]], targets: [1, 2], reductions: [none, sum]}
  - {id: refused, why: w, op: softmax, logits: [[0.5, 1]], axis: 7, expect: {error: no such axis}}
  - id: mixed
    why: w
    op: cross_entropy
    logits: [[0.5, 1, 2]]
    targets: [[0.5, 0.25, 0.25]]
    target_dtype: float64
    policy: mixed-dtype-result
    dtypes: [float32]
"""


class Recording(Numpy):
    """Notes in which dtypes it is called, and takes no float16."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.called: list[tuple[str, str]] = []

    def _note(self, operation: str, logits: Any) -> None:
        self.called.append((operation, logits.dtype.name))
        if logits.dtype == np.float16:
            raise TypeError("float16 is not implemented")

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        self._note("softmax", logits)
        return super().softmax(logits, axis=axis)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        self._note("log_softmax", logits)
        return super().log_softmax(logits, axis=axis)

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        self._note("cross_entropy", logits)
        return super().cross_entropy(logits, targets, **options)


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    (tmp_path / "cases.yaml").write_text(CASES, encoding="utf-8")
    return load_suite([tmp_path / "cases.yaml"]).entries


def declaring(value: Any) -> Profile:
    return msgspec.structs.replace(NUMPY, dtypes=Declared(value=value, documentation="undocumented"))


def run(entries: list[Entry], value: Any) -> tuple[list[Outcome], Recording]:
    backend = Recording()
    found = judged(backend, entries, subject=Subject("mine", profile=declaring(value)))
    return [outcome for unit in found for outcome in unit], backend


def test_what_is_not_listed_is_unsupported_without_a_call(entries: list[Entry]) -> None:
    outcomes, backend = run(entries, ["float32", "float64"])
    assert {dtype for _, dtype in backend.called} == {"float32", "float64"}
    half = [each for each in outcomes if each.dtype in ("float16", "bfloat16")]
    facts = {(each.case, each.dtype, each.reduction, each.check) for each in half}
    reductions = {"normaliser": ["none"], "loss": ["none", "sum"], "refused": ["none"]}
    assert facts == {
        (case, dtype, reduction, "value")
        for case, each in reductions.items() for reduction in each for dtype in ("float16", "bfloat16")
    }  # fmt: skip
    assert {(each.verdict, each.reason, each.expected) for each in half} == {
        ("unsupported", "dtype-not-declared", "float64, float32")
    }
    assert {each.detail for each in half} == {"float16", "bfloat16"}
    assert "float64, float32" in message(half[0]) and "softmax" in message(half[0])
    assert {each.verdict for each in outcomes if each not in half} <= {"pass", "deviation"}


def test_each_operation_may_have_dtypes_of_its_own(entries: list[Entry]) -> None:
    outcomes, backend = run(
        entries, {"log_softmax": ["float64"], "softmax": ["float32"], "all": ["float32", "float64"]}
    )
    assert {dtype for op, dtype in backend.called if op == "softmax"} == {"float32"}
    # The identity of a composition is not asked where a part of it does not take the dtype.
    assert {dtype for op, dtype in backend.called if op == "log_softmax"} == {"float64"}
    assert {each.dtype for each in outcomes if each.check == "composed"} == {"float64"}
    assert {each.dtype for each in outcomes if each.case == "loss" and each.verdict == "pass"} == {"float32", "float64"}


def test_a_dtype_that_is_declared_and_refused_is_a_fail(entries: list[Entry]) -> None:
    outcomes, _ = run(entries, ["float32", "float16"])
    refused = [each for each in outcomes if each.dtype == "float16" and each.case in ("normaliser", "loss")]
    assert refused and {each.verdict for each in refused} == {"fail"}


def test_probabilities_of_a_dtype_that_is_not_declared_are_not_given(entries: list[Entry]) -> None:
    outcomes, _ = run(entries, ["float32"])
    assert {(each.verdict, each.detail) for each in outcomes if each.case == "mixed"} == {("unsupported", "float64")}
    outcomes, _ = run(entries, ["float32", "float64"])
    assert {each.reason for each in outcomes if each.case == "mixed"}.isdisjoint({"dtype-not-declared"})


def test_the_fuzzer_draws_no_dtype_that_no_operation_takes() -> None:
    assert {*weights_of(NUMPY)["dtype"]} == {*DTYPES}
    assert {*weights_of(declaring({"softmax": ["float16"], "all": ["float32"]}))["dtype"]} == {"float32", "float16"}

"""Of a backend that declares no gradients nothing is asked that begins with one, and reports say unsupported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call
from conformance.cases.load import Entry, load_suite
from conformance.cases.select import select
from conformance.model.outcome import Outcome
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY, SUITE

CASES = """\
theme: gradients
cases:
  - id: loss
    why: w
    op: cross_entropy
    logits: [[0.5, 1, 2], [1, 0.25, 0]]
    targets: [1, 2]
    dtypes: [float32]
    reductions: [none, default]
    transforms: [second-order, forward-mode, second-backward]
  - {id: bad-label, why: w, op: cross_entropy, logits: [[0.5, 1, 2]], targets: [7], dtypes: [float32],
     policy: [label-out-of-range, gradient-of-bad-label], reductions: [none], expect: {error: no such class}}
"""


class Undifferentiable(Numpy):
    """Raises where a gradient is asked for, and counts that."""

    asked = 0

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        self.asked += 1
        raise RuntimeError("there is no autograd")


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    (tmp_path / "cases.yaml").write_text(CASES, encoding="utf-8")
    wrong = select(SUITE, expression="upstream-gradient-of-softmax-for-one-class", dtypes=("float32",))
    return [*load_suite([tmp_path / "cases.yaml"]).entries, *wrong]


def run(entries: list[Entry], **features: Any) -> tuple[list[Outcome], Undifferentiable]:
    backend = Undifferentiable()
    profile = msgspec.structs.replace(NUMPY, features=NUMPY.features | features, known=[])
    found = judged(backend, entries, dtypes=("float32",), subject=Subject("mine", profile=profile))
    return [outcome for unit in found for outcome in unit], backend


def test_nothing_is_asked_that_begins_with_a_gradient(entries: list[Entry]) -> None:
    outcomes, backend = run(entries, gradient="unsupported")
    assert backend.asked == 0
    assert {each.verdict for each in outcomes} == {"pass", "unsupported"}
    without = {(each.case, each.check, each.reduction) for each in outcomes if each.verdict == "unsupported"}
    checks = ("gradient", "second-order", "second-backward")
    assert without == {
        *(("loss", check, reduction) for check in checks for reduction in ("none", "default")),
        *(("loss", "forward-mode", reduction) for reduction in ("none", "default")),  # which NumPy has not
        ("upstream-gradient-of-softmax-for-one-class", "value", "none"),
    }
    assert {each.detail for each in outcomes if each.reason == "required"} == {"gradient"}
    assert {(each.check, each.verdict) for each in outcomes if each.case == "bad-label"} >= {("error", "pass")}


def test_gradients_that_are_declared_and_missing_are_fails(entries: list[Entry]) -> None:
    outcomes, backend = run(entries)
    assert backend.asked and {each.verdict for each in outcomes if each.check == "gradient"} == {"fail"}

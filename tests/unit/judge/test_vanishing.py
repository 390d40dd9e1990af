"""Infinities that a factor makes undefined: a sound evaluation in which the factor underflows raises no alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.backends.contract import Backend
from conformance.cases.load import load_suite
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY
from tests.yardstick.kernel import Kernel
from tests.yardstick.sound import Sequential

FILE = """\
theme: stability
cases:
  - id: infinite
    why: an impossible class has an infinite share
    op: {op}
    {inputs}
    dtypes: [float32]
    upstream: {upstream}
"""
#: A prediction of 0, and a logit of -inf, of which the target has a share.
LOG_LOSS = "probabilities: [[0.0, 1.0]]\n    targets: [[0.004, 0.5]]\n    reductions: [mean]"
TARGETS = "logits: [[-.inf, 1.0]]\n    targets: [[0.25, 0.5]]\n    weight: [1e-30, 2.0]\n    reductions: [sum]"
TARGETS += "\n    transforms: [target-gradient]"


class WithoutInfinity(Kernel):
    """Of an impossible class nothing is left: neither in the loss nor in its gradient."""

    def given_gradient(self, ask: Any, upstream: Any) -> Any:
        return self.finite(super().given_gradient(ask, upstream))

    def loss_target_gradient(self, ask: Any, upstream: Any) -> Any:
        return self.finite(super().loss_target_gradient(ask, upstream))

    @staticmethod
    def finite(found: Any) -> Any:
        found[~(abs(found) < 1e30)] = 0
        return found


def fails(kind: type[Backend], folder: Path, op: str, inputs: str, upstream: str) -> set[str]:
    """The checks that fail."""
    file = folder / "infinite.yaml"
    file.write_text(FILE.format(op=op, inputs=inputs, upstream=upstream), encoding="utf-8")
    found = judged(kind(), load_suite([file]).entries, subject=Subject("mine", profile=NUMPY))
    return {each.check for unit in found for each in unit if each.verdict == "fail"}


@pytest.mark.parametrize(("op", "inputs"), [("log_loss", LOG_LOSS), ("cross_entropy", TARGETS)])
def test_an_infinity_whose_factor_may_underflow_is_not_judged(tmp_path: Path, op: str, inputs: str) -> None:
    for kind in (Kernel, Sequential, WithoutInfinity):
        assert fails(kind, tmp_path, op, inputs, "1e-45" if op == "log_loss" else "1e-20") == set()


@pytest.mark.parametrize(
    ("op", "inputs", "check"),
    [("log_loss", LOG_LOSS, "gradient"), ("cross_entropy", TARGETS.replace("1e-30", "3.0"), "target-gradient")],
)
def test_an_infinity_with_factors_of_ordinary_size_is(tmp_path: Path, op: str, inputs: str, check: str) -> None:
    assert fails(Kernel, tmp_path, op, inputs, "0.5") == set()
    assert check in fails(WithoutInfinity, tmp_path, op, inputs, "0.5")

"""Declared policies excuse what they describe, alone and together, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from conformance.cases.load import load_suite
from conformance.model.outcome import Outcome
from conformance.model.wording import message
from conformance.profiles.profile import Declared
from conformance.run.judged import judged
from tests.yardstick.kernel import Kernel
from tests.yardstick.registry import subject
from tests.yardstick.sound import Flushed

CASE = """
theme: excuses
cases:
  - {id: it, why: it, op: cross_entropy, logits: [[1, 2], [3, 5]], targets: [0, -100], reductions: [none]}
"""


class _NothingIgnored(Kernel):
    """No label is ignored by default, and one that is not a class gives NaN: only both together say what -100 gives."""

    policies: ClassVar[dict[str, Declared]] = {
        "default-ignore-index": Declared(value="none", documentation="undocumented"),
        "label-out-of-range": Declared(value="nan", documentation="undocumented"),
        "mean-of-zero-weight": Declared(value="zero", documentation="undocumented"),  # which has no part in it
    }

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        return np.where(targets == -100, found.dtype.type(np.nan), found)


class _NothingIgnoredAndWrong(_NothingIgnored):
    """The same, and the other loss is wrong."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(logits, targets, **options) * np.float32(1.01)


@pytest.mark.parametrize(("kind", "verdict"), [(_NothingIgnored, "deviation"), (_NothingIgnoredAndWrong, "fail")])
def test_two_policies_excuse_together_what_neither_does_alone(kind: type[Kernel], verdict: str, tmp_path: Path) -> None:
    found = _values(tmp_path, kind, CASE)
    assert {each.verdict for each in found} == {verdict}
    if verdict == "deviation":
        assert {message(each) for each in found} == {"as its declared policies say"}
        assert {each.excused_by for each in found} == {("default-ignore-index", "label-out-of-range")}


class _ZeroOfNothing(Kernel):
    """The mean of no position is 0, as it declares."""

    policies: ClassVar[dict[str, Declared]] = {
        "mean-of-all-ignored": Declared(value="zero", documentation="undocumented"),
    }

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        return np.where(np.isnan(found), found.dtype.type(0), found)


def test_a_policy_that_excuses_alone_is_named(tmp_path: Path) -> None:
    found = _values(tmp_path, _ZeroOfNothing, CASE.replace("[0, -100]", "[-100, -100]").replace("[none]", "[mean]"))
    assert {message(each) for each in found} == {"as its declared mean-of-all-ignored says"}


def _values(folder: Path, kind: type[Kernel], case: str) -> list[Outcome]:
    file = folder / "cases.yaml"
    file.write_text(case, encoding="utf-8")
    found = judged(kind(), load_suite([file]).entries, subject=subject(kind))
    return [each for unit in found for each in unit if each.check == "value"]


BESIDE_NAN = """
theme: excuses
cases:
  - {id: it, why: it, op: cross_entropy, logits: [[0, -98.5, -3]], targets: [0], weight: [1, 1, .nan],
     reductions: [none], dtypes: [float32]}
"""


def test_a_flushed_gradient_is_excused_beside_a_weight_that_is_nan(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(BESIDE_NAN)
    (found,) = judged(Flushed(), load_suite([tmp_path]).entries, identities=False, subject=subject(Flushed))
    (gradient,) = [each for each in found if each.check == "gradient"]
    assert (gradient.verdict, gradient.excused_by) == ("deviation", ("subnormal-results",))

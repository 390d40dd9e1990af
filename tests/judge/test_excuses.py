"""Declared policies excuse what they describe, alone and together, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from conformance.cases.load import load_suite
from conformance.judge.profile import Declared
from conformance.results.records import Outcome
from conformance.run.plan import Plan
from conformance.worker.local import judge_locally
from tests.yardstick.kernel import Kernel
from tests.yardstick.registry import subject

CASE = """
theme: excuses
cases:
  - {id: it, why: it, op: cross_entropy, logits: [[1, 2], [3, 5]], targets: [0, -100], reductions: [none]}
"""


class _NothingIgnored(Kernel):
    """No label is ignored by default, and labels that are no class give NaN: only both together say what -100 gives."""

    policies: ClassVar[dict[str, Declared]] = {
        "default-ignore-index": Declared(value="none", documentation="undocumented"),
        "label-out-of-range": Declared(value="nan", documentation="undocumented"),
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
    file = tmp_path / "cases.yaml"
    file.write_text(CASE, encoding="utf-8")
    plan = Plan(load_suite([file]).entries)
    outcomes: list[Outcome] = [each for unit in judge_locally(kind(), plan, subject(kind)) for each in unit]
    assert {each.verdict for each in outcomes if each.check == "value"} == {verdict}

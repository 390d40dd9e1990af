"""Vectorised maps are judged example by example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.cases.load import load_suite
from conformance.judge.examples import examples_of
from conformance.judge.judge import Judge
from conformance.model.errors import CaseError
from conformance.model.outcome import Outcome
from conformance.profiles.profile import Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.chunk import chunk_of
from conformance.run.judged import judged
from conformance.run.plan import Plan
from conformance.worker.exchange import Observation
from tests.support.transforms import entries
from tests.yardstick.kernel import Kernel


def test_a_map_needs_an_axis_beside_the_classes(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path)
    alone = msgspec.structs.replace(entry.case, logits=[1, 2, 0.5], targets=1)
    with pytest.raises(CaseError, match="no leading axis"):
        chunk_of(Plan([replace(entry, case=alone)]).portions[0])


MEANS = """
theme: transforms
cases:
  - id: a-map-of-means
    why: small
    op: cross_entropy
    logits: {distribution: uniform, shape: [3, 4, 2], seed: 1}
    targets: [[1, 0], [2, 2], [2, 3]]
    ignore_index: 2
    reductions: [mean, sum]
    transforms: [vectorised-map]
    policy: [mean-of-all-ignored, gradient-of-all-ignored]
    dtypes: [float32]
"""


class DividesByTheFirst(Kernel):
    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        value[-1] /= 2
        return value, gradient


class OneForAll(Kernel):
    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value.sum(), gradient


def test_a_map_of_losses_that_are_all_reduced_is_judged_example_by_example(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    (tmp_path / "case.yaml").write_text(MEANS)
    loaded = list(load_suite([tmp_path]).entries)
    asked = [request for request in chunk_of(Plan(loaded).portions[0]).requests if request.transform]
    assert [dict(request.options)["reduction"] for request in asked] == ["mean", "sum"]
    assert all(request.upstream is not None and request.upstream.shape == (3,) for request in asked)
    found: dict[type[Kernel], list[Outcome]] = {}
    for kind in (Kernel, DividesByTheFirst, OneForAll):
        units = judged(kind(), loaded, subject=Subject("kernel", profile=Profile(backend="kernel")))
        found[kind] = [outcome for unit in units for outcome in unit if outcome.check == "vectorised-map"]
    assert {(o.reduction, o.verdict) for o in found[Kernel]} == {("mean", "pass"), ("sum", "pass")}
    assert {(o.verdict, o.quantity, o.position) for o in found[DividesByTheFirst]} == {("fail", "value", 4)}
    assert {(o.verdict, o.reason) for o in found[OneForAll]} == {("fail", "wrong-shape")}


class NoGradientOfNothing(Kernel):
    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        gradient[np.isnan(value)] = np.nan
        return value, gradient


def test_a_deviation_of_one_example_is_one_of_the_map(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    (tmp_path / "case.yaml").write_text(MEANS.replace("[mean, sum]", "[mean]"))
    nan = Declared(value="nan", documentation="undocumented")
    profile = Profile(backend="kernel", policies={"gradient-of-all-ignored": nan})
    units = judged(NoGradientOfNothing(), load_suite([tmp_path]).entries, subject=Subject("kernel", profile=profile))
    (found,) = [outcome for unit in units for outcome in unit if outcome.check == "vectorised-map"]
    assert (found.verdict, found.quantity, found.position) == ("deviation", "gradient", 2)


def test_examples_lie_along_another_axis_than_the_classes(tmp_path: Path) -> None:
    problem = chunk_of(Plan(entries(tmp_path)).portions[0]).units[0].problem
    with pytest.raises(ValueError, match="no examples along axis 0"):
        examples_of(replace(problem, axis=0, class_axis=0), "mean")


def test_an_example_without_a_result_leaves_the_findings_of_the_others_in_their_place(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    (tmp_path / "case.yaml").write_text(MEANS)
    asked = chunk_of(Plan(list(load_suite([tmp_path]).entries)).portions[0]).transforms[0][0]
    zero = np.zeros((), np.float32)
    seen = [Observation(place, value=None if place == 1 else zero) for place in range(3)]
    found = Judge(Subject("kernel")).quantity(asked.prepared, asked.examples, "mean", seen, "value")
    assert [[each.problem for each in of_one] for of_one in found] == [
        [asked.examples[0].problem],
        [],
        [asked.examples[2].problem],
    ]


def test_the_map_is_asked_with_one_examples_axis(tmp_path: Path) -> None:
    chunk = chunk_of(Plan(entries(tmp_path)).portions[0])
    (asked,) = [request for request in chunk.requests if request.transform == "vectorised-map"]
    assert dict(asked.options)["axis"] == 0 and dict(asked.options)["reduction"] == "none"
    assert msgspec.structs.asdict(asked)["tangent"] is None

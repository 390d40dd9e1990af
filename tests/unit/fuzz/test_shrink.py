"""Shrinking, with a predicate in place of a backend: what is left is what the failure needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.cases.checks import complaints_about
from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.fuzz.draft import Draft, draft_of
from conformance.fuzz.shrink import Shrinker
from conformance.model.case import Case

WIDE = {"distribution": "normal", "shape": [3, 40, 700], "scale": 5.0, "seed": 3}


def shrunk(keys: dict[str, Any], fails: Callable[[Draft], bool], attempts: int = 160) -> Draft:
    case = msgspec.convert({"id": "it", "why": "x", "op": "cross_entropy", **keys}, Case)
    (problem,) = expand(Entry(case, "t", Path("f"), 0)).problems
    draft = draft_of(problem, case.reductions[0])
    assert fails(draft)
    found = Shrinker(fails, attempts).shrunk(draft)
    assert fails(found) and not [*complaints_about(found.case())]
    return found


def keys(**more: Any) -> dict[str, Any]:
    labels = np.arange(120).reshape(3, 40).tolist()
    return {"logits": WIDE, "targets": labels, "axis": -1, "dtypes": ["float16"], "reductions": ["mean"], **more}


def test_nothing_is_left_of_what_makes_no_difference() -> None:
    given = keys(weight=[0.5] * 700, label_smoothing=0.1, layouts=["sliced"], ignore_index=7, target_dtype="int32")
    case = shrunk(given, lambda draft: draft.count >= 1).case()
    assert (case.logits, case.targets) == ([[0.0, 0.0]], [0])
    assert (case.dtypes, case.layouts, case.reductions) == (("float32",), ("contiguous",), ("none",))
    assert case.weight is case.label_smoothing is case.ignore_index is case.target_dtype is case.axis is None


def test_sizes_stop_where_the_failure_does() -> None:
    found = shrunk(keys(), lambda draft: draft.count > 64 and draft.classes > 128)
    assert (found.count, found.classes) == (65, 129)
    assert found.case().logits.shape == [65, 129] and found.case().logits.offset == 0.0  # type: ignore[union-attr]


@pytest.mark.parametrize("wanted", ["weight", "ignore_index", "label_smoothing", "layouts", "dtypes", "reductions"])
def test_what_the_failure_needs_is_kept(wanted: str) -> None:
    given = keys(weight=[0.5] * 700, label_smoothing=0.1, layouts=["sliced"], ignore_index=7)
    before = msgspec.to_builtins(msgspec.convert({"id": "it", "why": "x", "op": "cross_entropy", **given}, Case))[
        wanted
    ]

    def fails(draft: Draft) -> bool:
        now = msgspec.to_builtins(draft.case())[wanted]
        return now is not None and (wanted == "weight" or list(np.ravel(now)) == list(np.ravel(before)))

    assert fails(shrunk(given, fails))


def test_a_special_value_is_left_alone_among_zeros() -> None:
    planted = {**WIDE, "planted": [[700 * 77 + 5, float("nan")]]}
    found = shrunk(keys(logits=planted), lambda draft: bool(np.isnan(draft.logits).any()))
    assert np.isnan(found.logits).sum() == 1 and np.nansum(np.abs(found.logits)) == 0.0
    assert found.logits.shape == (1, 2)


def test_attempts_are_bounded() -> None:
    asked: list[Draft] = []

    def fails(draft: Draft) -> bool:
        asked.append(draft)
        return True

    shrunk(keys(), fails, attempts=5)
    assert len(asked) == 1 + 5 + 1  # that it fails at all, the attempts, and that what is left fails


def test_labels_stay_labels_of_the_classes_that_are_left() -> None:
    found = shrunk(keys(), lambda draft: draft.classes >= 9 and draft.count >= 3)
    assert found.targets.min() >= 0 and found.targets.max() < found.classes


def test_invalid_cases_stay_invalid() -> None:
    given = keys(axis=5, expect={"error": "there is no axis 5"}, targets=[[0] * 40] * 3)
    found = shrunk(given, lambda draft: draft.keys.get("axis") == 5)
    assert found.case().axis == 5 and found.case().dtypes == ("float32",)


@pytest.mark.parametrize("wrong", [{"weight": [1.0] * 701}, {"weight": [1.0] * 699}, {"targets": [[0] * 41] * 3}])
def test_what_does_not_fit_still_does_not_fit_when_it_is_small(wrong: dict[str, Any]) -> None:
    def fails(draft: Draft) -> bool:
        weight, targets = draft.weight, draft.targets
        return (weight is not None and len(weight) != draft.classes) or targets.size != draft.count

    found = shrunk(keys(expect={"error": "they do not fit"}, **wrong), fails)
    assert found.classes == 2


def test_a_batch_of_nothing_keeps_its_shape() -> None:
    nothing = {"distribution": "constant", "shape": [0, 3]}
    found = shrunk(
        keys(logits=nothing, targets={"distribution": "labels", "shape": [0]}), lambda draft: draft.count == 0
    )
    assert found.case().logits.shape == [0, 2] and found.case().targets.shape == [0]  # type: ignore[union-attr]


def test_logits_without_a_class_keep_their_positions() -> None:
    given = keys(logits={"distribution": "constant", "shape": [3, 40, 0]}, expect={"error": "there is no class"})
    found = shrunk(given, lambda draft: draft.count > 2 and draft.classes == 0)
    assert found.logits.shape == (3, 0)


def test_labels_of_a_narrow_type_whose_classes_it_does_not_count() -> None:
    """As many classes as uint8 has values: 256 itself is none of them."""
    logits = {"distribution": "constant", "shape": [2, 256]}
    given = keys(logits=logits, targets=[0, 255], target_dtype="uint8", axis=1)
    found = shrunk(given, lambda draft: draft.keys.get("target_dtype") == "uint8" and draft.targets.max() > 2)
    assert found.case().targets == [3] and found.classes == 4

"""What each distribution of a generator takes: in the hints, in the documentation, and in the numbers themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.cases.checks import GENERATOR_KEYS
from conformance.cases.load import load_suite
from conformance.cases.tensors import materialise
from conformance.model.case import Generator
from conformance.model.errors import CaseError, CaseErrors
from conformance.places import ROOT
from tests.support.case_files import write

VALUES: dict[str, Any] = {"scale": 2.5, "offset": 0.25, "seed": 7, "classes": 3}
CASE = """\
theme: generators
cases:
  - id: it
    why: a generator
    op: cross_entropy
    logits: [[1, 2, 3], [1, 2, 3]]
    targets: [0, 1]
    weight: {{distribution: {distribution}, {keys}}}
"""


def complaint(folder: Path, distribution: str, keys: str) -> CaseError:
    with pytest.raises(CaseErrors) as raised:
        load_suite([write(folder, CASE.format(distribution=distribution, keys=keys))])
    (error,) = raised.value.errors
    return error


def not_taken(*keys: str) -> list[tuple[str, str]]:
    """Each distribution with each of the keys that it does not take."""
    return [(each, key) for each in GENERATOR_KEYS for key in keys if key not in GENERATOR_KEYS[each]]


def taken(hint: str | None) -> set[str]:
    """The keys that a hint names as taken."""
    return {part.split(" ")[0] for part in (hint or "").partition(" takes ")[2].split(", ")}


@pytest.mark.parametrize("distribution", GENERATOR_KEYS)
def test_keys_that_are_taken_change_the_numbers_and_no_others_do(distribution: Any) -> None:
    known = {"classes": 9} if distribution == "labels" else {}
    plain = materialise(Generator(distribution=distribution, shape=[40, 5], **known))
    for key, value in VALUES.items():
        if key == "classes" and key not in GENERATOR_KEYS[distribution]:
            continue
        changed = materialise(Generator(distribution=distribution, shape=[40, 5], **{**known, key: value}))
        assert (changed.tobytes() != plain.tobytes()) == (key in GENERATOR_KEYS[distribution]), key


@pytest.mark.parametrize(("distribution", "key"), not_taken("value", "scale", "offset", "classes", "seed"))
def test_advice_never_names_a_key_that_is_refused_next(tmp_path: Path, distribution: str, key: str) -> None:
    needed = "classes: 3, " if distribution == "labels" else ""
    error = complaint(tmp_path, distribution, f"{needed}{key}: 3")
    names = taken(error.hint)
    assert names == {"shape", "planted", *GENERATOR_KEYS[distribution]}
    for name in names - {"shape", "masked", "planted", "classes"}:
        load_suite([write(tmp_path, CASE.format(distribution=distribution, keys=f"{needed}{name}: 3"))])


@pytest.mark.parametrize(("distribution", "key"), not_taken("scale", "offset", "seed", "apart"))
def test_a_key_that_is_not_taken_is_refused_whatever_it_says(tmp_path: Path, distribution: str, key: str) -> None:
    default = {"scale": "1.0", "seed": "0"}.get(key, "0.0")
    error = complaint(tmp_path, distribution, f"{'classes: 3, ' if distribution == 'labels' else ''}{key}: {default}")
    of_logits = "only the positions of logits can lie apart"
    assert error.problem == (of_logits if key == "apart" else f"{distribution} takes no {key}")


def test_the_key_of_a_constant_is_offset(tmp_path: Path) -> None:
    error = complaint(tmp_path, "constant", "value: 3")
    assert error.problem == "unknown key 'value'"
    assert error.hint == "constant takes shape, offset (the number itself), masked, planted"
    assert "remove the key: constant takes shape, offset" in (complaint(tmp_path, "constant", "scale: 3").hint or "")
    assert (complaint(tmp_path, "normal", "scael: 3").hint or "").startswith("did you mean 'scale'? normal takes shape")


def test_the_documentation_names_every_distribution_and_key() -> None:
    text = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (`(?:scale|offset|seed|classes)`[^|]*) \|", text, re.MULTILINE))
    documented = {name: set(re.findall("`([a-z]+)`", keys)) for name, keys in rows.items()}
    assert documented == {name: {*keys} - {"masked"} for name, keys in GENERATOR_KEYS.items()}
    assert "`masked: [first, beyond]`" in text and "`shape`" in text


def test_numbers_are_planted_at_single_places_of_a_stated_shape() -> None:
    given = Generator(distribution="constant", shape=[2, 3], planted=[(0, 5.0), (4, float("nan")), (5, float("-inf"))])
    assert materialise(given).tolist()[0] == [5.0, 0.0, 0.0]
    assert np.isnan(materialise(given)[1, 1]) and materialise(given)[1, 2] == -np.inf
    assert materialise(Generator(distribution="constant", shape=[], planted=[(0, 2.0)])).shape == ()
    assert materialise(Generator(distribution="one-hot", shape=[2, 3], planted=[(0, 7.0)]), class_axis=0)[0, 0] == 7.0


@pytest.mark.parametrize(
    ("distribution", "keys", "problem", "hint"),
    [
        ("constant", "planted: [[0, 1]]", "places in a shape that is not stated", "add `shape: [...]`"),
        ("constant", "shape: [3], planted: [[3, .nan]]", "place 3 of 3 elements", "write a place below 3"),
    ],
)
def test_what_cannot_be_planted_is_refused(
    tmp_path: Path, distribution: str, keys: str, problem: str, hint: str
) -> None:
    error = complaint(tmp_path, distribution, keys)
    assert error.problem == problem and hint in (error.hint or "")


def test_positions_lie_apart_along_whatever_axis_the_classes_are() -> None:
    given = Generator(distribution="ramp", shape=[3, 4], apart=100.0)
    plain = materialise(Generator(distribution="ramp", shape=[3, 4]))
    assert (materialise(given) - plain == np.array([[-100.0], [0.0], [100.0]])).all()
    assert (materialise(given, class_axis=0) - plain == np.array([-100.0, 0.0, 100.0, -100.0])).all()

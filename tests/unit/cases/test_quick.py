"""The quick selection: read with care, and never out of step with the cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.load import load_suite
from conformance.cases.quick import Quick, load_quick, narrowed
from conformance.model.errors import CaseError, CaseErrors
from conformance.places import CASES, QUICK
from tests.support.planned import planned

TWO = """
theme: two
cases:
  - {id: first, why: it, op: softmax, logits: [1, 2], dtypes: [float64, float32]}
  - {id: second, why: it, op: softmax, logits: [3, 4]}
"""

MAPPED = """
theme: one
cases:
  - {id: mapped, why: it, op: cross_entropy, logits: [[1, 2, 0.5], [0, -1, 3]], targets: [1, -100], ignore_index: -100,
     transforms: [vectorised-map]}
"""


@pytest.fixture
def entries(tmp_path: Path) -> list:  # type: ignore[type-arg]
    file = tmp_path / "two.yaml"
    file.write_text(TWO, encoding="utf-8")
    return list(load_suite([file]).entries)


def test_the_selection_keeps_its_order_and_narrows_the_dtypes(entries: list) -> None:  # type: ignore[type-arg]
    chosen = narrowed(entries, Quick(quick={"second": ["float16"], "first": ["float32", "float16"]}))
    assert [(entry.case.id, entry.case.dtypes) for entry in chosen] == [
        ("second", ("float16",)),
        ("first", ("float32",)),
    ]


def test_an_id_that_no_case_has_has_a_hint(entries: list) -> None:  # type: ignore[type-arg]
    with pytest.raises(CaseError, match="(?s)gone.*python -m tests.yardstick matrix"):
        narrowed(entries, Quick(quick={"gone": ["float32"]}))
    assert narrowed(entries, Quick(quick={"gone": ["float32"]}), strict=False) == []


def test_a_case_of_the_tier_full_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "full.yaml"
    file.write_text(TWO.replace("logits: [3, 4]", "logits: [3, 4], tier: full"), encoding="utf-8")
    with pytest.raises(CaseError, match=r"(?s)full\.yaml.*the default tier leaves it out.*python -m tests.yardstick"):
        narrowed(load_suite([file]).entries, Quick(quick={"second": ["float16"]}))


def test_a_file_that_is_wrong_names_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "quick.yaml"
    file.write_text("quick:\n  first: [float31]\n", encoding="utf-8")
    with pytest.raises(CaseErrors, match=r"(?s)quick\.yaml.*float31"):
        load_quick(file)


def test_the_suites_own_selection_fits_its_cases() -> None:
    chosen = narrowed(load_suite([CASES]).entries, load_quick(QUICK))
    assert chosen and all(entry.case.dtypes for entry in chosen)


def test_what_is_asked_of_a_dtype_does_not_depend_on_the_others(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(MAPPED, encoding="utf-8")
    entries = list(load_suite([file]).entries)
    whole = planned(entries)
    for dtype in ("float64", "float32", "bfloat16", "float16"):
        part = planned(narrowed(entries, Quick(quick={"mapped": [dtype]})))
        assert part and part == {each for each in whole if each[0][1] == dtype}
        assert any(each[0][5] == "vectorised-map" for each in part) == (dtype == "float32")


def test_the_quick_selection_asks_nothing_that_the_whole_does_not() -> None:
    selection = load_quick(QUICK)
    entries = load_suite([CASES]).entries
    whole = planned([entry for entry in entries if entry.case.id in selection.quick])
    assert planned(narrowed(entries, selection)) < whole

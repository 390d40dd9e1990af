"""The schema is current, describes every key, and agrees with the loader on what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.schema import SCHEMA_NAME, check_schema, schema_text
from conformance.cases.yaml12 import parse
from conformance.model.errors import CaseError
from conformance.places import ROOT
from tests.support.case_files import EXAMPLE


def test_the_checked_in_schema_is_current() -> None:
    assert check_schema(ROOT / "cases" / SCHEMA_NAME, schema_text(), "case-file")


def test_an_old_or_missing_schema(tmp_path: Path) -> None:
    file = tmp_path / SCHEMA_NAME
    with pytest.raises(CaseError, match="cannot be read"):
        check_schema(file, schema_text(), "case-file")
    file.write_text(schema_text(), encoding="utf-8")
    assert check_schema(file, schema_text(), "case-file")
    file.write_text(schema_text().replace("ramp", "rump"), encoding="utf-8")
    with pytest.raises(CaseError, match="older than the model"):
        check_schema(file, schema_text(), "case-file")


def test_every_object_is_closed_and_every_key_described() -> None:
    definitions: dict[str, Any] = json.loads(schema_text())["$defs"]
    for definition in definitions.values():
        if definition.get("type") == "object":
            assert definition["additionalProperties"] is False
            for field in definition["properties"].values():
                assert field["title"]
                assert field["description"].endswith(".")


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (("", ""), True),
        (("[1]", "[1]\n    expected: {mean: 0.5, none: [.inf]}"), True),
        (("0.2", '"0x1.8p+1"'), True),
        (("[[0.2, 0.7, 0.1]]", "{distribution: uniform, shape: [2, 3]}"), True),
        (("[1]", "[1]\n    targets_as: python"), True),
        (("why", "wy"), False),
        (("op: cross_entropy", "op: cross"), False),
        (("0.2", "yes"), False),
        (("[[0.2, 0.7, 0.1]]", "[[[[[[[[[1]]]]]]]]]"), False),
        (("    targets: [1]\n", ""), False),
        (("logits:", "log_probabilities:"), False),
        (("op: cross_entropy", "op: softmax"), False),
        (("[1]", "[1]\n    dtypes: []"), False),
        (("[1]", "[1]\n    expected: {means: 0.5}"), False),
    ],
)
def test_the_schema_agrees_with_the_loader(change: tuple[str, str], *, valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    validator.check_schema(json.loads(schema_text()))
    assert validator.is_valid(parse(EXAMPLE.replace(*change), "f")) is valid

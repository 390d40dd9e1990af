"""The JSON Schema of workload files, generated from the model: editors complete and check with it."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from conformance.bench.workload import WorkloadFile
from conformance.cases.schema import SCHEMA_NAME, check_schema, write_schema
from conformance.places import CASES

__all__ = ["check", "schema_text"]

#: What an editor shows for each key.
_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "WorkloadFile": {
        "why": "What the workloads of this file are about.",
        "workloads": "Single workloads, each a mapping.",
        "series": "Curves: workloads that differ in one extent.",
    },
    "Written": {
        "id": "Unique over all files and permanent: results and histories refer to it for years.",
        "why": "Where such a call occurs, or what its time shows.",
        "shape": "Extents of the logits.",
        "axis": "The class axis, stated to the framework.",
        "dtype": "The dtype of logits, weights and class probabilities.",
        "targets": "Class indices (int64), or class probabilities of the logits' shape.",
        "weight": "Whether every class has a weight, drawn from [0.5, 1.5).",
        "ignored": "The share of positions whose label is ignore_index, −100.",
        "label_smoothing": "The share, from 0 to 1, that is spread evenly over all classes.",
        "reduction": "The reduction, stated to the framework.",
        "scale": "The standard deviation of the logits.",
        "seed": "The same seed gives the same bytes on every machine.",
        "contracts": "The value; value and gradient; or the value, keeping what a later gradient needs.",
        "caches": "`warm`: the tensors are where the last call left them; `cold`: caches are emptied before each call.",
        "quick": "Whether `conformance bench --quick` times it.",
    },
    "Series": {
        "id": "The curve's name, and the start of its points' ids.",
        "why": "What the curve shows.",
        "over": "The extent that varies: `classes` with as many logits throughout, or `positions` of as many classes.",
        "extents": "The values of that extent.",
        "elements": "Over classes: the number of logits, a multiple of every extent.",
        "classes": "Over positions: the number of classes.",
        "dtype": "The dtype of the logits.",
        "contracts": "What is asked of each call.",
        "quick": "Whether `conformance bench --quick` times it.",
    },
}


def schema_text() -> str:
    """The schema as JSON text, with a newline at its end."""
    raw = msgspec.json.schema(WorkloadFile)
    for name, definition in raw["$defs"].items():
        definition["description"] = inspect.cleandoc(definition.get("description", ""))
        for key, field in definition["properties"].items():
            _describe(field, key, _DESCRIPTIONS[name][key])
    draft = "https://json-schema.org/draft/2020-12/schema"
    schema = {"$schema": draft, "title": "Workload file of the cross-entropy conformance suite", **raw}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _describe(field: dict[str, Any], key: str, description: str) -> None:
    field |= {"title": key, "description": description}
    if field.get("type") == "array" and "enum" in field.get("items", {}):
        field |= {"minItems": 1, "uniqueItems": True}
    if field.get("default", 0) is None:
        del field["default"]


def check(path: Path) -> None:
    """Raise CaseError unless the file at ``path`` is the schema of the model as it is now."""
    check_schema(path, schema_text(), "conformance.bench.workload_schema")


if __name__ == "__main__":
    write_schema(CASES / "benchmarks" / SCHEMA_NAME, schema_text())

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


def schema_text() -> str:
    """The schema as JSON text, with a newline at its end."""
    raw = msgspec.json.schema(WorkloadFile)
    for definition in raw["$defs"].values():
        definition["description"] = inspect.cleandoc(definition.get("description", ""))
        for key, field in definition["properties"].items():
            _finish(field, key)
    draft = "https://json-schema.org/draft/2020-12/schema"
    schema = {"$schema": draft, "title": "Workload file of the cross-entropy conformance suite", **raw}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _finish(field: dict[str, Any], key: str) -> None:
    field["title"] = key
    if field.get("type") == "array" and "enum" in field.get("items", {}):
        field |= {"minItems": 1, "uniqueItems": True}
    if field.get("default", 0) is None:
        del field["default"]


def check(path: Path) -> None:
    """Raise CaseError unless the file at ``path`` is the schema of the model as it is now."""
    check_schema(path, schema_text(), "conformance.bench.workload_schema")


if __name__ == "__main__":
    write_schema(CASES / "benchmarks" / SCHEMA_NAME, schema_text())

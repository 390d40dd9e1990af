"""The JSON Schema of workload files, generated from the model: editors complete and check with it."""

from __future__ import annotations

from functools import cache

from conformance.bench.workload import WorkloadFile
from conformance.cases.schema import as_text, described

__all__ = ["schema_text"]


@cache
def schema_text() -> str:
    """The schema as JSON text, with a newline at its end."""
    schema = described(WorkloadFile, "Workload file")
    for definition in schema["$defs"].values():
        for field in definition["properties"].values():
            if field.get("type") == "array" and "enum" in field["items"]:
                field |= {"minItems": 1, "uniqueItems": True}
    return as_text(schema)

"""The registry: a name for each JSON document, and the type that its schema is generated from.

Types are imported when their schema is asked for, so that the registry costs nothing.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from conformance.cases.schema import DRAFT, as_text
from conformance.model.errors import UsageError
from conformance.plain import command_line

__all__ = ["DOCUMENTS", "Document", "schema", "schema_text"]

_HERE = "conformance.schemas.documents"


@dataclass(frozen=True)
class Document:
    """A JSON document: ``types`` are ``module:name``; ``many`` says that it is an array of such objects.

    ``written_by`` is the command that writes it; ``refine`` may sharpen what a type cannot say.
    ``text`` (``module:name``) makes the whole schema as text, in place of ``types``.
    """

    title: str
    types: tuple[str, ...]
    written_by: str
    many: bool = False
    refine: Callable[[dict[str, Any]], None] | None = None
    text: str = ""


def _words_for_numbers(schema: dict[str, Any]) -> None:
    """A number that JSON lacks is one of three words."""
    fields = schema["$defs"]["Outcome"]["properties"]
    for name in ("ulp", "ratio", "bound"):
        fields[name]["anyOf"] = [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}, {"type": "null"}]


def _listed(topic: str, name: str) -> Document:
    command = command_line("conformance", "list", topic, "--format", "json")
    return Document(f"List of {topic}", (f"{_HERE}:{name}",), command, many=True)


DOCUMENTS: dict[str, Document] = {
    "outcomes": Document(
        "A line of outcomes.jsonl",
        ("conformance.model.records:Record",),
        "conformance run --output DIR",
        refine=_words_for_numbers,
    ),
    "run": Document("Counts of a run", (f"{_HERE}:RunSummary",), "conformance run --format json"),
    "fuzz": Document("A search", ("conformance.fuzz.report:FuzzReport",), "conformance fuzz --format json"),
    "import": Document(
        "What became of another project's tests",
        ("conformance.foreign.take:Import",),
        "conformance import SOURCE --output DIR --format json",
    ),
    "list-cases": _listed("cases", "ListedCase"),
    "list-themes": _listed("themes", "ListedTheme"),
    "list-flags": _listed("flags", "ListedFlag"),
    "list-backends": _listed("backends", "ListedBackend"),
    "list-policies": _listed("policies", "ListedPolicy"),
    "list-defects": _listed("defects", "ListedDefect"),
    "list-verdicts": _listed("verdicts", "ListedVerdict"),
    "list-layouts": _listed("layouts", "ListedLayout"),
    "list-schemas": _listed("schemas", "ListedSchema"),
    "case-file": Document(
        "Case file, as YAML", (), "you: see docs/cases.md", text="conformance.cases.schema:schema_text"
    ),
    "workload-file": Document(
        "Workload file, as YAML",
        (),
        "you: see docs/benchmarks.md",
        text="conformance.bench.workload_schema:schema_text",
    ),
    "lint": Document("What is to be corrected", (f"{_HERE}:LintProblem",), "conformance lint --format json", many=True),
    "smoke": Document(
        "Smoke test", (f"{_HERE}:SmokeRow", f"{_HERE}:SmokeUnavailable"), "conformance smoke --format json", many=True
    ),
    "explain": Document(
        "Derivation of a case",
        ("conformance.schemas.explanation:Explanation",),
        "conformance explain CASE --format json",
    ),
    "times": Document("Times of a benchmark run", (f"{_HERE}:TimedRow",), "conformance bench --format json", many=True),
    "benchmarks": Document(
        "extra_info of an entry of benchmarks.json",
        ("conformance.bench.record:Record",),
        "conformance bench --output DIR",
    ),
    "diff": Document(
        "Two runs compared",
        ("conformance.reports.diff.document:Diff", "conformance.reports.diff.document:SpeedAlone"),
        "conformance diff OLD NEW --format json",
    ),
    "history": Document(
        "Times and verdicts over runs",
        ("conformance.reports.history.show:Shown",),
        "conformance history show --format json",
    ),
    "vectors": Document(
        "Vectors of a theme", ("conformance.vectors.document:Theme",), "conformance export vectors --output DIR"
    ),
    "vectors-index": Document(
        "Index of a folder of vectors",
        ("conformance.vectors.document:Index",),
        "conformance export vectors --output DIR",
    ),
    "vector-results": Document(
        "A line of what a kernel gave for vectors", ("conformance.vectors.document:Line",), "you: see docs/vectors.md"
    ),
    "badge": Document("Badge of a backend", (f"{_HERE}:Badge",), "conformance report RUN... --badge DIR"),
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document. Raises UsageError for a name that is not in the registry."""
    document = DOCUMENTS.get(name)
    if document is None:
        raise UsageError(f"there is no schema {name!r}", hint=f"name one of {', '.join(DOCUMENTS)}")
    if document.text:
        made: dict[str, Any] = json.loads(_load(document.text)())
        return made
    types = [_load(each) for each in document.types]
    (body, *others), definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    if others:
        body = {"anyOf": [body, *others]}
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    if document.many:
        body = {"type": "array", "items": body}
    made = {"$schema": DRAFT, "title": document.title, **body, "$defs": definitions}
    if document.refine is not None:
        document.refine(made)
    return made


def schema_text(name: str) -> str:
    """The schema as JSON text, with a newline at its end."""
    return as_text(schema(name))


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)

"""The JSON Schema of case files, generated from the model: editors complete and check with it.

It is as strict as JSON Schema allows; the loader is stricter still (regular lists, shapes, unique ids).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.checks import MOST_ELEMENTS, NORMALISERS
from conformance.cases.literals import HEX_FLOAT, MOST_RANK, NUMBER_FIELDS
from conformance.model.case import CaseFile
from conformance.model.errors import CaseError, Place
from conformance.model.layouts import BETWEEN, LAYOUTS
from conformance.plain import command_line, shell_word

__all__ = ["DRAFT", "SCHEMA_NAME", "as_text", "check_schema", "described", "schema_text"]

SCHEMA_NAME = "schema.json"
_SUITE = "of the cross-entropy conformance suite"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: What an editor shows for each key.
_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "CaseFile": {
        "theme": "The theme that all cases of this file belong to; results are tabulated by it.",
        "why": "What the theme is about.",
        "cases": "The cases, each a mapping.",
    },
    "Case": {
        "id": "Unique over all files and permanent: results and registers of defects refer to it for years.",
        "why": "Why this case exists: the truth it shows, or the bug it catches.",
        "flags": "Classes of bugs that this case can show, each defined in notes.yaml.",
        "references": "Where the bug was seen: links, or repository#number.",
        "source": "Whose test it was taken from, where it is not the suite's own.",
        "op": "The operation under test.",
        "logits": "Unnormalised scores: nested lists of numbers, or a seeded generator.",
        "log_probabilities": "For nll_loss, in place of logits.",
        "probabilities": "For log_loss, in place of logits: those that were predicted.",
        "targets": "Class indices, or class probabilities of the logits' shape: numbers, or a generator.",
        "targets_as": "What the targets are, where their form does not show it; `python`: the plain Python object.",
        "target_dtype": "The dtype of the targets; left out: int64 for indices, that under test for probabilities.",
        "axis": "The class axis; left out: 1, or 0 for rank 1. `default` leaves the argument to the framework.",
        "weight": "One weight a class.",
        "ignore_index": "The label whose positions count for nothing; left out, the argument is left out.",
        "label_smoothing": "The share, from 0 to 1, that is spread evenly over all classes.",
        "where": "Which classes take part, 1 or 0, in the shape of the logits; the others are impossible.",
        "logits_dtype": "What is made of the logits though no logits are integers; with `expect: {error: ...}`.",
        "reductions": "The reductions to check; `default` leaves the argument to the framework.",
        "dtypes": "The dtypes to check; one whose range the numbers exceed is skipped.",
        "layouts": "How the operands lie in memory: a word for all, or `logits=padded+weight=sliced` for some of them.",
        "upstream": "The upstream gradient, where its shape is the value's; left out: seeded, of both signs.",
        "transforms": "Checks beyond value and gradient: derivatives in a direction, and the vectorised map.",
        "tangent": "The direction of the derivatives, of the logits' shape; left out: seeded, of both signs.",
        "expected": "17 significant digits for each reduction (`value` for softmax and log_softmax), or `gradient`.",
        "expect": "An error that must be raised, or a warning that must be given.",
        "policy": "The policy, or policies, that the case observes: where implementations legitimately differ.",
        "requires": "Features (weight, ignore-index, ...) without which a backend is unsupported here.",
        "spacing": "How far apart the positions lie in the call, of which only they are judged: the others are zeros.",
        "budget": "What one call needs; above the limits of a run the case is left out.",
        "tier": "full: backends that compile anew for every shape are spared it, unless a run is of that tier.",
    },
    "Generator": {
        "distribution": "How the numbers are drawn.",
        "shape": "Extents; left out, that which fits the logits (which themselves need one).",
        "scale": "Half the width (uniform, ramp), the standard deviation (normal), or the height (one-hot); else 1.",
        "offset": "The middle, mean, or constant; else 0.",
        "seed": "The same seed gives the same bytes on every machine; else 0.",
        "classes": "For labels: drawn from 0 up to, but not including, this.",
        "masked": "[first, beyond]: elements of the last axis that are −inf, whatever was drawn.",
        "apart": "What the positions of logits are moved by in turn: −apart, 0, +apart, −apart, ...",
        "planted": "[[place, number], ...]: single elements, counted from 0 in row-major order, and what stands there.",
    },
    "Expect": {
        "error": "Why the input is invalid: any error is right, a value is wrong.",
        "warning": "Words that the warning holds.",
    },
    "Provenance": {
        "project": "The project whose test it is.",
        "version": "The project's version.",
        "test": "The test's name there.",
        "license": "The license of its numbers, as SPDX names it.",
    },
    "Budget": {"memory": "Bytes.", "seconds": "Seconds."},
}


@cache
def schema_text() -> str:
    """The schema as JSON text, with a newline at its end."""
    schema = described(CaseFile, "Case file", _DESCRIPTIONS)
    definitions = schema["$defs"]
    _refine_case(definitions["Case"])
    _refine_generator(definitions["Generator"])
    definitions["Expect"]["minProperties"] = 1
    definitions["CaseFile"]["properties"]["cases"]["minItems"] = 1
    definitions["Number"] = {
        "title": "Number",
        "description": 'A number as people write it, or a hexadecimal float in quotes, such as "0x1.8p+1", or -.nan.',
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": HEX_FLOAT}, {"const": "-.nan"}],
    }
    definitions |= _numbers()
    return as_text(schema)


def described(
    model: type[msgspec.Struct], what: str, descriptions: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """The JSON Schema of ``model``, each key with a title and, where ``descriptions`` has one, what an editor shows."""
    raw = msgspec.json.schema(model)
    for name, definition in raw["$defs"].items():
        definition["description"] = inspect.cleandoc(definition.get("description", ""))
        for key, field in definition["properties"].items():
            field["title"] = key
            if descriptions is not None:
                field["description"] = descriptions[name][key]
            # Left out and null mean the same; saying so in every completion would only be noise.
            if field.get("default", 0) is None:
                del field["default"]
    return {"$schema": DRAFT, "title": f"{what} {_SUITE}", **raw}


def as_text(schema: Mapping[str, Any]) -> str:
    """A schema as the text of its file, with a newline at its end."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _numbers() -> dict[str, Any]:
    """One definition a rank, since JSON Schema cannot bound the depth of a recursive one."""
    number = {"$ref": "#/$defs/Number"}
    definitions = {}
    for rank in range(1, MOST_RANK + 1):
        items = number if rank == 1 else {"anyOf": [number, {"$ref": f"#/$defs/Numbers{rank - 1}"}]}
        definitions[f"Numbers{rank}"] = {"title": f"Numbers up to rank {rank}", "type": "array", "items": items}
    return definitions


def _refine_case(case: dict[str, Any]) -> None:
    fields = case["properties"]
    for key in NUMBER_FIELDS:
        if key != "label_smoothing":
            choices = [
                {"$ref": "#/$defs/Number"},
                {"$ref": f"#/$defs/Numbers{MOST_RANK}"},
                {"$ref": "#/$defs/Generator"},
            ]
            fields[key]["anyOf"] = [*choices, {"type": "null"}]
    # A target that is not a tensor may be anything.
    fields["targets"]["anyOf"].append({"type": "array"})
    fields["label_smoothing"]["anyOf"] = [{"$ref": "#/$defs/Number"}, {"type": "null"}]
    # Editors read 0.76 as a number; the loader keeps its text.
    text = {"type": ["string", "number"]}
    nested = {"type": "array", "items": {"anyOf": [text, {"type": "array"}]}}
    fields["expected"]["anyOf"][0]["additionalProperties"] = {"anyOf": [text, nested]}
    fields["expected"]["anyOf"][0]["propertyNames"] = {"enum": ["none", "sum", "mean", "default", "value", "gradient"]}
    for key in ("reductions", "dtypes", "layouts"):
        fields[key] |= {"minItems": 1, "uniqueItems": True}
    # An editor offers the words for all operands, and checks the form of the others.
    fields["layouts"]["items"] = {
        "anyOf": [
            {"enum": [name for name in LAYOUTS if name not in BETWEEN]},
            {"allOf": [fields["layouts"]["items"], {"pattern": "="}]},
        ]
    }
    for key in ("flags", "transforms"):
        fields[key]["uniqueItems"] = True
    refused = [{"required": [key]} for key in ("targets", "targets_as", "target_dtype", "weight", "ignore_index")]
    normaliser = {"properties": {"op": {"enum": list(NORMALISERS)}}, "required": ["op"]}
    nll = {"properties": {"op": {"const": "nll_loss"}}, "required": ["op"]}
    log_loss = {"properties": {"op": {"const": "log_loss"}}, "required": ["op"]}
    others = [{"required": ["log_probabilities"]}, {"required": ["probabilities"]}]
    case["allOf"] = [
        {"if": normaliser, "then": {"not": {"anyOf": refused}}, "else": {"required": ["targets"]}},
        {
            "if": nll,
            "then": {
                "oneOf": [{"required": ["log_probabilities"]}, {"required": ["logits"]}],
                "not": {"required": ["probabilities"]},
            },
            "else": {
                "if": log_loss,
                "then": {
                    "required": ["probabilities"],
                    "not": {"anyOf": [{"required": ["logits"]}, {"required": ["log_probabilities"]}]},
                },
                "else": {"required": ["logits"], "not": {"anyOf": others}},
            },
        },
    ]


def _refine_generator(generator: dict[str, Any]) -> None:
    for key in ("scale", "offset"):
        generator["properties"][key]["anyOf"] = [{"$ref": "#/$defs/Number"}, {"type": "null"}]
    generator["properties"]["shape"]["anyOf"][0] |= {"maxItems": MOST_RANK}
    generator["properties"]["shape"]["description"] += f" At most {MOST_ELEMENTS} elements."


def check_schema(path: Path, wanted: str, document: str) -> bool:
    """Whether the file at ``path`` is a schema of this suite at all, and not another project's of the same name.

    Raises CaseError where it cannot be read, or holds anything but ``wanted``, the schema as the model now has it.
    ``document`` is what ``conformance lint --schema`` calls it.
    """
    hint = f"write it anew: {command_line('conformance', 'lint', '--schema', document)} > {shell_word(path)}"
    text = wanted.encode("utf-8")
    try:
        with path.open("rb") as stream:
            found = stream.read(2 * len(text))
    except OSError as error:
        raise CaseError(f"the schema cannot be read: {error.strerror}", place=Place(path), hint=hint) from None
    if _SUITE.encode() not in found:
        return False
    if found != text:
        raise CaseError("the schema is older than the model", place=Place(path), hint=hint)
    return True

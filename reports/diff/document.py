"""A comparison as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from reports.diff.compare import Accuracy, Change, Comparison
from reports.diff.rows import Key

__all__ = ["document", "json_text"]

_FIELDS = ("backend", "case", "dtype", "layout", "op", "reduction", "check")


def json_text(found: Comparison) -> str:
    """One JSON object, indented."""
    return json.dumps(document(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def document(found: Comparison) -> dict[str, Any]:
    """The comparison in terms that JSON has; infinities and NaN are strings."""
    return {
        "old": found.old,
        "new": found.new,
        "regressed": found.regressed,
        "compared": found.compared,
        "counts": {name: {"old": old, "new": new} for name, (old, new) in found.counts.items()},
        "regressions": [_change(each) for each in found.regressions],
        "fresh_failures": [_change(each) for each in found.fresh_failures],
        "improvements": [_change(each) for each in found.improvements],
        "policies": [_change(each) for each in found.policies],
        "other": [_change(each) for each in found.other],
        "accuracy": [_accuracy(each) for each in found.accuracy],
        "new_cases": found.new_cases,
        "gone_cases": found.gone_cases,
        "environment": [{"key": key, "old": old, "new": new} for key, old, new in found.environment],
        "incomparable": found.incomparable,
        "speed": None if found.speed is None else found.speed.document(),
    }


def _named(key: Key) -> dict[str, str]:
    return dict(zip(_FIELDS, key, strict=True))


def _change(change: Change) -> dict[str, Any]:
    return {**_named(change.key), "old": change.old, "new": change.new, "message": change.message}


def _accuracy(change: Accuracy) -> dict[str, Any]:
    fields = {name: _plain(value) for name, value in asdict(change).items() if name != "key"}
    return {**_named(change.key), **fields, "worse": change.worse}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value

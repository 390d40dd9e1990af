"""A comparison as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import msgspec

from conformance.reports.benchmarks.comparison.rows import Comparison as Speed
from conformance.reports.diff.compare import Accuracy, Change, Comparison
from conformance.reports.diff.rows import Key

__all__ = ["Diff", "SpeedAlone", "document", "json_text"]

_FIELDS = ("backend", "case", "dtype", "layout", "op", "reduction", "check")


class _Check(msgspec.Struct, frozen=True, kw_only=True):
    backend: str
    case: str
    dtype: str
    layout: str
    op: str
    reduction: str
    check: str


class ChangedVerdict(_Check, frozen=True, kw_only=True):
    """A check whose verdict changed; null where only one run made it."""

    old: str | None
    new: str | None
    message: str


class ChangedAccuracy(_Check, frozen=True, kw_only=True):
    """A check of unchanged verdict whose class or largest error changed; infinities and NaN are strings."""

    old_class: str | None
    new_class: str | None
    old_ulp: float | str | None
    new_ulp: float | str | None
    worse: bool


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts of a backend and their numbers in both runs."""

    old: dict[str, int]
    new: dict[str, int]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the environments or versions differ in."""

    key: str
    old: str
    new: str


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs compared. ``speed`` is there where both were timed; ``new_cases`` and ``gone_cases`` are by theme."""

    old: str
    new: str
    regressed: bool
    compared: int
    counts: dict[str, Counts]
    regressions: list[ChangedVerdict]
    fresh_failures: list[ChangedVerdict]
    improvements: list[ChangedVerdict]
    policies: list[ChangedVerdict]
    other: list[ChangedVerdict]
    accuracy: list[ChangedAccuracy]
    new_cases: dict[str, list[str]]
    gone_cases: dict[str, list[str]]
    environment: list[Setting]
    incomparable: list[str]
    speed: Speed | None


class SpeedAlone(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs that hold times and no verdicts; ``regressed`` is what the exit code says."""

    regressed: bool
    speed: Speed


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

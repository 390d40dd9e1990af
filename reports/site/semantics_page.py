"""What each backend declares where implementations legitimately differ, and whether its results say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.oracle.policies import NORMATIVE
from reports.site.aggregate import Aggregates
from reports.site.columns import Column

__all__ = ["Declared", "semantics_rows", "spoken"]


@dataclass(frozen=True)
class Declared:
    """A cell: what is declared (empty: nothing, so the normative choice), where documented, and what was seen."""

    value: str
    normative: bool
    documentation: str
    note: str
    seen: Counter[str]


def semantics_rows(columns: Sequence[Column], totals: Aggregates) -> list[dict[str, Any]]:
    """A row for each policy that any backend declares or any case asks about, normative choice first."""
    normative = {
        name: getattr(NORMATIVE, field)
        for name, field in zip(NORMATIVE.__struct_encode_fields__, NORMATIVE.__struct_fields__, strict=True)
    }
    asked = {policy for _, policy in totals.policies}
    declared = {name for column in columns for name in column.profile.policies}
    names = [name for name in normative if name in declared | asked]
    names += sorted((declared | asked) - set(normative))
    return [
        {
            "name": name,
            "normative": spoken(normative[name]) if name in normative else "",
            "cells": [(column, _cell(column, name, normative.get(name), totals)) for column in columns],
        }
        for name in names
    ]


def _cell(column: Column, name: str, normative: Any, totals: Aggregates) -> Declared:
    found = column.profile.policies.get(name)
    seen = totals.policies.get((column, name), Counter())
    if found is None:
        return Declared("", True, "", "", seen)
    value = found.of(column.device, column.mode)
    return Declared(spoken(value), _is_normative(name, value, normative), found.documentation, found.note, seen)


def _is_normative(name: str, value: Any, normative: Any) -> bool:
    """Whether a value is the normative one, for every operation or kind of input that it names."""
    if name == "default-axis":
        normative = 1
    return all(each == normative for each in value.values()) if isinstance(value, dict) else bool(value == normative)


def spoken(value: Any) -> str:
    """A policy's value in words: mappings and lists on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {spoken(each)}" for key, each in value.items()) or "1 for every operation"
    if isinstance(value, list):
        return ", ".join(map(spoken, value)) or "any integer"
    return str(value)

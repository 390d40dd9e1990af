"""Benchmarks files of former schemas, in the terms of the present one: the one place that knows their former names."""

from __future__ import annotations

from typing import Any

from conformance.bench.record import SCHEMA

__all__ = ["schema_of", "upgraded"]

#: From schema 1 to 2: names of an entry, and of the head.
_ENTRY = {"roof": "peak_bandwidth", "roof_fraction": "bandwidth_fraction"}
_HEAD = {"roof": "peak_bandwidth", "roof_range": "peak_bandwidth_range"}
_REPLACED = ("roof_tries", "device_roof_tries", "no_roof")


def schema_of(whole: Any) -> int:
    """The schema that a decoded file names; the present one where it names none, as no suite has written it."""
    head = whole.get("conformance") if isinstance(whole, dict) else None
    schema = head.get("schema", SCHEMA) if isinstance(head, dict) else SCHEMA
    return schema if type(schema) is int else SCHEMA


def upgraded(whole: Any) -> Any:
    """A decoded file in the present schema; what is not of the expected kind is left for the reader to refuse."""
    if schema_of(whole) != 1:
        return whole
    head = _renamed(whole["conformance"], _HEAD) | {"schema": SCHEMA}
    tries = [{"sizes": each} for each in _list(head.get("roof_tries"))] + _list(head.get("device_roof_tries"))
    head["peak_bandwidth_tries"] = [each | {"type": "bandwidths"} if isinstance(each, dict) else each for each in tries]
    entries = [
        each | {"extra_info": _renamed(each.get("extra_info"), _ENTRY)} if isinstance(each, dict) else each
        for each in _list(whole.get("benchmarks"))
    ]
    return whole | {
        "conformance": {name: value for name, value in head.items() if name not in _REPLACED},
        "benchmarks": entries if isinstance(whole.get("benchmarks"), list) else whole.get("benchmarks"),
        "not_timed": [_renamed(each, _ENTRY) for each in _list(whole.get("not_timed"))],
    }


def _renamed(fields: Any, names: dict[str, str]) -> Any:
    return {names.get(key, key): value for key, value in fields.items()} if isinstance(fields, dict) else fields


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

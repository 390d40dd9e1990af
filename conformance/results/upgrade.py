"""Reads results files of schema 1, whose outcomes held a sentence where they now hold facts.

The sentence stands as it was, with the reason ``recorded``: no message is read back, but for the register's entry at
the end of a known defect's. Anywhere else such words may be those of an exception, and are left alone.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from conformance.model.records import Record

__all__ = ["FORMER", "decode_former"]

#: The schema that this reads.
FORMER = 1
#: Modes that named a composition, and how that was executed.
_COMPOSITIONS = {"logsumexp": "jit", "one-hot": "jit", "safe": "jit", "module": "eager"}
_REGISTERED = re.compile(r" \[known: (?P<id>[^,\[\]]+), (?P<issue>[^\[\]]*)\]$")


def decode_former(line: bytes) -> Record:
    """The record of a line of schema 1, as it is now; raises ``msgspec.DecodeError`` for a line that holds none."""
    old = msgspec.json.decode(line, type=dict[str, Any])
    match old.get("record"):
        case "outcome":
            old = _outcome(old)
        case "backend":
            old = _backend(old)
        case "header":
            backends = msgspec.convert(old.get("backends", []), list[dict[str, Any]])
            old["backends"] = [_backend(each) for each in backends]
    record: Record = msgspec.convert(old, Record)
    return record


def _backend(old: dict[str, Any]) -> dict[str, Any]:
    mode = old.get("mode", "")
    composed = isinstance(mode, str) and mode in _COMPOSITIONS
    identity = {
        "name": old.get("name"),
        "framework": old.get("framework", ""),
        "device": old.get("device", ""),
        "execution": _COMPOSITIONS[mode] if composed else mode,
        "composition": mode if composed else "",
    }
    versions = old.get("versions")
    if isinstance(versions, dict) and versions:
        identity["version"] = next(iter(versions.values()))
    return {**old, "id": identity}


def _outcome(old: dict[str, Any]) -> dict[str, Any]:
    new = dict(old)
    if new.get("verdict") == "fixed":
        new["verdict"] = "stale"
    worst = new.get("worst_input")
    if isinstance(worst, dict) and isinstance(worst.get("position"), int):
        new["position"] = worst["position"]
        new["worst_input"] = {name: value for name, value in worst.items() if name != "position"}
    text = msgspec.convert(new.pop("message", ""), str)
    entry = _REGISTERED.search(text) if new.get("verdict") == "known" else None
    if entry is not None:
        new["defect"] = entry.groupdict()
        text = text[: entry.start()]
    return {**new, "reason": "recorded", "detail": text} if text else new

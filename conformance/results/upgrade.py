"""Reads results files of former schemas, line by line: what they held in other ways becomes the fields of today.

Schema 1 had a sentence where there are facts now. It stands as it was, with the reason ``recorded``: no message is read
back, but for the register's entry at the end of a known defect's. Anywhere else such words may be those of an
exception, and are left alone. Schema 2 joined some facts to one text, which is taken apart here and nowhere else,
and had other words for quantities.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.model.records import Record

__all__ = ["FORMER", "decode_former"]

#: The schemas that this reads.
FORMER = (1, 2)
#: Modes that named a composition, and how that was executed.
_COMPOSITIONS = {"logsumexp": "jit", "one-hot": "jit", "safe": "jit", "module": "eager"}
#: What schema 2 called the quantities that are called otherwise now.
_QUANTITIES = {"tangent": "jvp", "curvature": "hvp", "slope_of_targets": "target_gradient"}
_REGISTERED = re.compile(r" \[known: (?P<id>[^,\[\]]+), (?P<issue>[^\[\]]*)\]$")


class _Selection(msgspec.Struct):
    backends: list[str] = []


class _Header(msgspec.Struct):
    selection: _Selection


def specs_of(header: bytes) -> Sequence[str]:
    """The specs of the backends that a run was asked for, by the line of its header."""
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(header, type=_Header).selection.backends
    return ()


def decode_former(schema: int, line: bytes, specs: Sequence[str] = ()) -> Record:
    """The record of a line of a former schema, as it is now; raises ``msgspec.DecodeError`` where there is none.

    ``specs`` are those of the backends that the run was asked for.
    """
    old = msgspec.json.decode(line, type=dict[str, Any])
    if schema == 1:
        old = _from_sentences(old)
    match old.get("record"):
        case "outcome":
            old = _renamed(_outcome_apart(old))
        case "backend":
            old = _backend_apart(old, specs)
        case "header":
            old = _header_apart(old, specs)
    record: Record = msgspec.convert(old, Record)
    return record


# -- from schema 2 ----------------------------------------------------------------------------------------------------


def _outcome_apart(old: dict[str, Any]) -> dict[str, Any]:
    """An outcome whose policy was ``label-out-of-range/above``, or that shared memory as ``value in logits`` said."""
    policy, detail = old.get("policy"), old.get("detail")
    if isinstance(policy, str) and "/" in policy:
        name, _, aspect = policy.partition("/")
        old = {**old, "policy": name, "aspect": aspect}
    if old.get("reason") == "shared" and isinstance(detail, str):
        old = {**old, "detail": "", "observed": [each.split(" in ", 1) for each in detail.split(", ")]}
    return old


def _renamed(old: dict[str, Any]) -> dict[str, Any]:
    """An outcome whose quantity was the ``curvature``."""
    quantity = old.get("quantity")
    return {**old, "quantity": _QUANTITIES[quantity]} if isinstance(quantity, str) and quantity in _QUANTITIES else old


def _backend_apart(old: dict[str, Any], specs: Sequence[str]) -> dict[str, Any]:
    """A backend whose classes stood among the sources of its operations, as ``class NAME``, and whose spec did not."""
    sources = msgspec.convert(old.get("sources", {}), dict[str, dict[str, Any]])
    classes = {name: each for name, each in sources.items() if name.startswith("class ")}
    return {
        **old,
        "spec": _spec(old.get("name"), specs),
        "sources": {name: each for name, each in sources.items() if name not in classes},
        "classes": [{**each, "name": name.removeprefix("class ")} for name, each in classes.items()],
    }


def _spec(name: Any, specs: Sequence[str]) -> str:
    """The spec of a backend: its name, or the file that it was given as."""
    if name in specs:
        return str(name)
    return next((each for each in specs if Path(each.partition(":")[0]).stem == name), "")


def _header_apart(old: dict[str, Any], specs: Sequence[str]) -> dict[str, Any]:
    """A header whose selection named the second of five shards as ``2/5``."""
    selection = msgspec.convert(old.get("selection", {}), dict[str, Any])
    if isinstance(selection.get("shard"), str):
        index, _, count = selection["shard"].partition("/")
        selection["shard"] = msgspec.convert({"index": index, "count": count}, dict[str, int], strict=False)
    return {**old, "selection": selection, "backends": [_backend_apart(each, specs) for each in _backends(old)]}


def _backends(old: dict[str, Any]) -> list[dict[str, Any]]:
    return msgspec.convert(old.get("backends", []), list[dict[str, Any]])


# -- from schema 1 ----------------------------------------------------------------------------------------------------


def _from_sentences(old: dict[str, Any]) -> dict[str, Any]:
    match old.get("record"):
        case "outcome":
            return _outcome(old)
        case "backend":
            return _backend(old)
        case "header":
            return {**old, "backends": [_backend(each) for each in _backends(old)]}
    return old


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

"""A case as the text of a case file: the keys that say something, in YAML's flow style."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from conformance.model.case import Case

__all__ = ["flow_text", "keys_of"]

#: Text that needs no quotes: it begins with a letter, so that it is not a number.
_WORDS = re.compile(r"[A-Za-z](?:[\w. -]*\w)?", re.ASCII)
_CONSTANTS = ("true", "false", "null")
_PLAIN: dict[str, Any] = {"reductions": ["none", "sum", "mean"], "layouts": ["contiguous"], "tier": "default"}


def keys_of(case: Case) -> dict[str, Any]:
    """The keys of a case in the order of the model, without those that say what holds anyhow."""
    kept: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(case).items():
        listed = [*value] if isinstance(value, tuple) else value
        usual = [["none"], _PLAIN[name]] if name == "reductions" and case.targets is None else [_PLAIN.get(name)]
        if listed is not None and listed != [] and name != "budget" and listed not in usual:
            kept[name] = listed
    return kept


def flow_text(value: Any) -> str:
    """One value as YAML's flow style has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {flow_text(each)}" for name, each in value.items() if each is not None) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow_text, value))}]"
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan" if math.copysign(1, value) > 0 else "-.nan"
        return repr(value) if math.isfinite(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str):
        return value if _WORDS.fullmatch(value) and value.lower() not in _CONSTANTS else json.dumps(value)
    return json.dumps(value)

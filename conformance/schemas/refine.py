"""What a schema says beyond its type."""

from __future__ import annotations

from typing import Any

__all__ = ["outcomes"]

_NOT_FINITE = {"enum": ["inf", "-inf", "nan"]}


def outcomes(schema: dict[str, Any]) -> None:
    """A number that JSON lacks is one of three words."""
    fields = schema["$defs"]["Outcome"]["properties"]
    for name in ("ulp", "ratio", "bound"):
        fields[name]["anyOf"] = [{"type": "number"}, _NOT_FINITE, {"type": "null"}]

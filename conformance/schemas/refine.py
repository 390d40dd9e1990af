"""What a schema says beyond its type."""

from __future__ import annotations

from typing import Any

from conformance.model.verdicts import VERDICTS

__all__ = ["outcomes"]

_NOT_FINITE = {"enum": ["inf", "-inf", "nan"]}


def outcomes(schema: dict[str, Any]) -> None:
    """Verdicts are those that there are; a number that JSON lacks is one of three words."""
    fields = schema["$defs"]["Outcome"]["properties"]
    fields["verdict"] |= {"enum": list(VERDICTS)}
    for name in ("ulp", "ratio"):
        fields[name]["anyOf"] = [{"type": "number"}, _NOT_FINITE, {"type": "null"}]

"""The verdicts, and what each says."""

from __future__ import annotations

from typing import Literal

__all__ = ["NONCONFORMING", "VERDICTS", "Verdict"]

Verdict = Literal["pass", "deviation", "fail", "known", "stale", "unsupported", "crash", "timeout", "error", "not run"]

VERDICTS: dict[Verdict, str] = {
    "pass": "the normative value, within the declared class",
    "deviation": "not normative, but exactly what the backend's declared policy says",
    "fail": "wrong value, shape, dtype, missing error, missing warning, or modified input",
    "known": "a fail that the backend's register of known defects describes",
    "stale": "a registered defect that no longer shows: the register is out of date",
    "unsupported": "the framework has no such feature; neither a pass nor a fail",
    "crash": "the backend's process died",
    "timeout": "the backend's process did not answer in time",
    "error": "the harness or the adapter is at fault, not the framework",
    "not run": "selected away, not installed, or not reached",
}

#: Verdicts that make a run non-conforming.
NONCONFORMING: frozenset[Verdict] = frozenset({"fail", "stale", "crash", "timeout"})

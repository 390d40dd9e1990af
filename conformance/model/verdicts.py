"""The verdicts: what each says, their order, and the sets that decide something. All others take them from here."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "ALARMING",
    "CONFORMING",
    "NONCONFORMING",
    "NOTABLE",
    "SILENT",
    "VERDICTS",
    "Verdict",
    "in_order",
    "severity",
]

Verdict = Literal[
    "pass",
    "deviation",
    "known",
    "fail",
    "crash",
    "timeout",
    "unreproduced",
    "error",
    "stale",
    "unsupported",
    "not run",
]

#: In the order of tables: what is right, then what a reader looks for, then what says nothing.
VERDICTS: dict[Verdict, str] = {
    "pass": "the normative value, within the declared class",
    "deviation": "not normative, but exactly what the backend's declared policy says",
    "known": "a fail that the backend's register of known defects describes",
    "fail": "wrong value, shape, dtype, missing error, missing warning, or modified input",
    "crash": "the backend's process died",
    "timeout": "the backend's process did not answer in time",
    "unreproduced": "the backend failed, died or did not answer, and not again by itself in a process of its own",
    "error": "the harness or the adapter is at fault, not the framework",
    "stale": "a registered defect that no longer shows: the register is out of date",
    "unsupported": "the framework has no such feature; neither a pass nor a fail",
    "not run": "selected away, not installed, or not reached",
}

#: Verdicts that a reader wants to see one by one, worst first.
NOTABLE: tuple[Verdict, ...] = ("crash", "timeout", "unreproduced", "fail", "error", "stale", "known", "deviation")
#: Right results.
CONFORMING: frozenset[str] = frozenset({"pass", "deviation"})
#: Verdicts by which a run ends with exit code 1: the framework, or the register of its defects, is wrong.
NONCONFORMING: frozenset[str] = frozenset({"fail", "stale", "crash", "timeout", "unreproduced"})
#: Verdicts that somebody has to act on: those, and faults of the adapter or the harness.
ALARMING: frozenset[str] = NONCONFORMING | {"error"}
#: Verdicts that say nothing for or against a framework.
SILENT: frozenset[str] = frozenset({"unsupported", "not run"})

_SEVERITY: dict[str, int] = {verdict: place for place, verdict in enumerate(NOTABLE)}


def severity(verdict: str) -> int:
    """The place of a verdict in an order of the worst first; what is not notable comes last."""
    return _SEVERITY.get(verdict, len(_SEVERITY))


def in_order(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The verdicts that occur with their numbers, in the order of tables; words that are not verdicts are left out."""
    return [(verdict, counts[verdict]) for verdict in VERDICTS if counts.get(verdict)]

"""How a reader sees a finding on his own machine: a stand-alone script where one can be made, and commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from conformance.results.records import Outcome
from reports.site.columns import Column
from reports.site.text import visible

__all__ = ["Reproduce", "commands"]

#: Given a backend as ``-b`` takes it and an outcome: a script that needs only the framework, or None.
Reproduce = Callable[[str, Outcome], str | None]


def commands(column: Column, outcome: Outcome) -> list[str]:
    """Command lines that show the finding: the derivation beside what the backend gives, and the case alone."""
    from conformance.cli import VERBS

    case, spec, dtype = _word(outcome.case), _word(column.spec), _word(outcome.dtype)
    found = [f"conformance explain {case} -b {spec} --dtype {dtype}"]
    if "repro" in VERBS:
        found.append(f"conformance repro {case} -b {spec}")
    return found


def _word(text: str) -> str:
    """One word of a shell command, on one line, whatever the text holds."""
    return shlex.quote(visible(text).replace("\n", "\\n").replace("\t", "\\t"))

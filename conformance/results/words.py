"""An outcome in plain words, for whoever meets it outside the tables: a test report, an annotation, a failed test.

Everything that a results file holds may have been written by a stranger: what leaves here is plain printable text.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from conformance.model.records import Outcome
from conformance.model.wording import message
from conformance.plain import plain, plain_lines

__all__ = ["check_name", "explain_command", "facts", "title"]


def check_name(check: str, policy: str) -> str:
    """The check by name: of a policy, which one, for a case may be asked of several."""
    return f"policy {policy}" if policy else check


def title(outcome: Outcome) -> str:
    """What was checked: case, dtype, layout unless contiguous, reduction, check."""
    layout = "" if outcome.layout == "contiguous" else outcome.layout
    words = [outcome.dtype, layout, outcome.reduction, check_name(outcome.check, outcome.policy)]
    return plain(f"{outcome.case} {' '.join(word for word in words if word)}")


def explain_command(outcome: Outcome, spec: str = "") -> str:
    """The command that derives the case and shows what the backend gave; ``spec`` is how a user names the backend."""
    words = ["conformance", "explain", outcome.case, "-b", spec or outcome.backend, "--dtype", outcome.dtype]
    return " ".join(plain(shlex.quote(word)) for word in words)


def facts(outcome: Outcome, spec: str = "", source: str | None = None) -> list[tuple[str, str]]:
    """Names and values of what a maintainer needs, without what is not known; a message keeps its lines."""
    found = {
        "finding": message(outcome),
        "observed": _value(outcome.observed),
        "exact": _value(outcome.expected),
        "ulp": _value(outcome.ulp),
        "class": outcome.class_,
        "error/bound": _value(outcome.ratio),
        "worst input": _value(outcome.worst_input),
        "source": source,
    }
    known = [(name, "\n".join(plain_lines(value))) for name, value in found.items() if value]
    return [*known, ("explain", explain_command(outcome, spec))]


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""An outcome in plain words, for whoever meets it outside the tables: a test report, an annotation, a failed test.

Everything that a results file holds may have been written by a stranger: what leaves here is plain printable text.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from conformance.results.records import Outcome

__all__ = ["CONFORMING", "SKIPPED", "explain_command", "facts", "on_terminal", "plain", "plain_lines", "title", "what"]

#: Verdicts that are right, and those that say nothing for or against the framework.
CONFORMING = frozenset({"pass", "deviation"})
SKIPPED = frozenset({"unsupported", "not run"})
LONGEST = 4000  # characters of one fact
#: What a CI runner takes as a command where a line begins with it; a wrapped line may begin with any word.
_COMMAND = re.compile(r"(?<!\S)(:(?=:)|#(?=#\[))")


def plain(text: object, longest: int = LONGEST) -> str:
    """``text`` on one line: control characters, line ends and lone surrogates are spelled out."""
    cut = str(text)
    if len(cut) > longest:
        cut = cut[: longest - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def plain_lines(text: object, longest: int = LONGEST) -> list[str]:
    """``plain`` of each line; none for empty text."""
    return [plain(line) for line in str(text)[:longest].split("\n")] if text else []


def on_terminal(text: object, longest: int = LONGEST) -> str:
    """``plain``, and no word that a CI runner would take as a command: a mark that does not show breaks it."""
    return _COMMAND.sub("\\1\u2060", plain(text, longest))


def what(outcome: Outcome) -> str:
    """The check by name: of a policy, which one, for a case may be asked of several."""
    return f"policy {outcome.policy}" if outcome.policy else outcome.check


def title(outcome: Outcome) -> str:
    """What was checked: case, dtype, layout unless contiguous, reduction, check."""
    words = [outcome.dtype, "" if outcome.layout == "contiguous" else outcome.layout, outcome.reduction, what(outcome)]
    return plain(f"{outcome.case} {' '.join(word for word in words if word)}")


def explain_command(outcome: Outcome, spec: str = "") -> str:
    """The command that derives the case and shows what the backend gave; ``spec`` is how a user names the backend."""
    words = ["conformance", "explain", outcome.case, "-b", spec or outcome.backend, "--dtype", outcome.dtype]
    return " ".join(plain(shlex.quote(word)) for word in words)


def facts(outcome: Outcome, spec: str = "") -> list[tuple[str, str]]:
    """Names and values of what a maintainer needs, without what is not known; a message keeps its lines."""
    found = {
        "finding": outcome.message,
        "observed": _value(outcome.observed),
        "exact": _value(outcome.expected),
        "ulp": _value(outcome.ulp),
        "class": outcome.class_,
        "error/bound": _value(outcome.ratio),
        "worst input": _value(outcome.worst_input),
        "source": outcome.source,
    }
    known = [(name, "\n".join(plain_lines(value))) for name, value in found.items() if value]
    return [*known, ("explain", explain_command(outcome, spec))]


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

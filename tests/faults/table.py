"""The table: a kind of fault is what the backend does in the call of one case, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["KINDS", "STEP", "Kind", "kind", "number_of"]

#: The first logit of a kind's case, in its units, is the number of the kind; those of sound cases are negative.
STEP = 1 / 64


@dataclass(frozen=True)
class Kind:
    """A kind of fault: ``act(value, logits)`` stands in for softmax, whose right value it is handed.

    ``expected`` maps the checks of its case that do not pass to their verdicts; ``error`` is part of what is recorded
    of the error, its type first. ``group`` names those that can share a run; ``seconds`` is the limit for a call.
    """

    name: str
    what: str
    act: Callable[[Any, Any], Any]
    expected: dict[str, str] = field(default_factory=dict)
    error: str = ""
    group: str = "alive"
    seconds: float = 60.0

    @property
    def exit_code(self) -> int:
        """What a run ends with in which nothing else goes wrong."""
        verdicts = set(self.expected.values())
        return 1 if verdicts & {"fail", "crash", "timeout"} else 3 if "error" in verdicts else 0


KINDS: list[Kind] = []


def kind(
    verdict: str = "", error: str = "", *, group: str = "alive", seconds: float = 60.0, **checks: str
) -> Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]:
    """Enter a function into the table: ``verdict`` is that of the value, ``checks`` those of other checks."""

    def entered(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        expected = ({"value": verdict} if verdict else {}) | {
            name.replace("_", "-"): each for name, each in checks.items()
        }
        what = (act.__doc__ or "").strip().rstrip(".")
        KINDS.append(Kind(act.__name__.replace("_", " "), what, act, expected, error, group, seconds))
        return act

    return entered


def number_of(logits: Any) -> int:
    """The number of the kind whose case this is, from 1; 0 for a sound one."""
    first = float(logits.flat[0]) / STEP if logits.size else 0.0
    return int(first) if 0 < first <= len(KINDS) and first.is_integer() else 0

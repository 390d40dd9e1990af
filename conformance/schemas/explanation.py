"""What ``conformance explain --format json`` writes."""

from __future__ import annotations

import msgspec

from conformance.explain.answers import BackendAnswers
from conformance.oracle.mistakes import Mistake
from conformance.oracle.steps import Derivation

__all__ = ["Explanation", "Mistakes"]


class Mistakes(msgspec.Struct, frozen=True, kw_only=True):
    """What common mistakes give for the same numbers, in one reduction."""

    reduction: str
    results: list[Mistake]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The derivation of a case, and what each backend that was named gave for it."""

    derivation: Derivation
    mistakes: Mistakes
    backends: list[BackendAnswers]

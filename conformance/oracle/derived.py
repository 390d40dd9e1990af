"""The derivation of a case that a reader can follow by hand, beside what common mistakes give for the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from conformance.cases.expand import expand
from conformance.cases.literals import count_of
from conformance.cases.load import Entry
from conformance.model.case import Generator
from conformance.model.errors import UsageError
from conformance.oracle.derivation import derive
from conformance.oracle.mistakes import Mistake, mistakes
from conformance.oracle.steps import Derivation

__all__ = ["CaseDerivation", "derived"]

#: Logits that a reader can follow.
_MOST = 512


@dataclass(frozen=True)
class CaseDerivation:
    """A derivation, and what common mistakes give for the same numbers in ``reduction``."""

    derivation: Derivation
    mistakes: tuple[Mistake, ...]
    reduction: str


def derived(entry: Entry) -> CaseDerivation | None:
    """The derivation in the case's first dtype, for literal logits of a number that can be read; else None."""
    if not _readable(entry):
        return None
    narrowed = msgspec.structs.replace(entry.case, dtypes=entry.case.dtypes[:1], layouts=entry.case.layouts[:1])
    try:
        problems = expand(replace(entry, case=narrowed)).problems
        if not problems:
            return None
        reductions = problems[0].reductions
        of = "mean" if "mean" in reductions else reductions[-1]
        return CaseDerivation(derive(problems[0], reductions), mistakes(problems[0], of), of)
    except UsageError:
        return None


def _readable(entry: Entry) -> bool:
    case = entry.case
    if case.input is None or any(isinstance(each, Generator) for each in (case.input, case.targets, case.weight)):
        return False
    return count_of(case.input) <= _MOST

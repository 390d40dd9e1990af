"""Expected values of a user's own cases, held against the oracle before a run.

The oracle judges, and never a case's ``expected``: one that says something else would be passed over in silence, and
its author would take the verdict for one about the numbers that the file holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from conformance.cases.expand import reference_problem
from conformance.cases.lint import ExpectedText, decimal_of
from conformance.cases.load import Entry
from conformance.model.errors import CaseError, CaseErrors

__all__ = ["require_true_values"]

#: Of the true value, or of 1 where that is smaller: the error of a number that was computed in float32.
_OF_FLOAT32 = Decimal("1e-6")
#: Of the true value: however few digits are written, a difference beyond this is not rounding.
_COARSEST = Decimal("1e-2")


def require_true_values(entries: Sequence[Entry], expected_text: ExpectedText, *, except_below: Path) -> None:
    """Raise CaseErrors where an expected value of a case outside the folder ``except_below`` is not the oracle's.

    Published numbers are allowed, which have few digits, or those of a float32 computation. Whether all 17 digits are
    there is the linter's question, as are the suite's own cases.
    """
    own = except_below.resolve()
    errors = [
        error
        for entry in entries
        if entry.case.expected and own not in entry.file.resolve().parents
        for error in _untrue(entry, expected_text)
    ]
    if errors:
        raise CaseErrors(errors)


def _untrue(entry: Entry, expected_text: ExpectedText) -> Iterator[CaseError]:
    try:
        problem = reference_problem(entry)
    except CaseError as error:
        yield error
        return
    for key, written in (entry.case.expected or {}).items():
        truth = None if problem is None else expected_text(problem, key)
        if truth is None:
            yield entry.error(("expected", key), "the definition gives no value here", "remove this key")
        else:
            yield from _differences(entry, key, written, truth, "")


def _differences(entry: Entry, key: str, written: Any, truth: Any, index: str) -> Iterator[CaseError]:
    if isinstance(written, list) and isinstance(truth, list) and len(written) == len(truth):
        for number, (ours, theirs) in enumerate(zip(written, truth, strict=True)):
            yield from _differences(entry, key, ours, theirs, f"{index}[{number}]")
    elif isinstance(written, list) or isinstance(truth, list):
        problem = f"value{index} of another shape than the true one"
        yield entry.error(("expected", key), problem, "remove `expected`, or let `conformance fill` write it anew")
    elif not _is_rounded(str(written), truth):
        hint = f"write {truth}; where the number is published elsewhere, its definition is another one"
        yield entry.error(("expected", key), f"{written}{' at ' + index if index else ''} is not the true value", hint)


def _is_rounded(written: str, truth: str) -> bool:
    """Whether ``written`` is ``truth`` to within one in its last place, or to what float32 resolves."""
    first, second = decimal_of(written), decimal_of(truth)
    if first is None or second is None:
        return False
    if not (first.is_finite() and second.is_finite()):
        return first.is_nan() == second.is_nan() and (first.is_nan() or first == second)
    exponent = first.as_tuple().exponent
    last_place = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    rounding = min(last_place, _COARSEST * abs(second))
    return abs(first - second) <= max(rounding, _OF_FLOAT32 * max(abs(second), Decimal(1)))

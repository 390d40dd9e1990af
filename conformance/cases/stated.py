"""Expected values held against the oracle: every digit by the linter, and to rounding before a run of one's own cases.

The oracle judges, and never a case's ``expected``: one that says something else would be passed over in silence, and
its author would take the verdict for one about the numbers that the file holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from conformance.cases.load import Entry
from conformance.cases.yaml12 import NodePath
from conformance.model.errors import CaseError, CaseErrors

if TYPE_CHECKING:
    from conformance.model.problem import Problem

__all__ = ["ExpectedText", "require_true_values", "same_number", "untrue"]

#: The oracle: of a problem and a key of ``expected``, decimal text of 17 significant digits, in nested lists for
#: arrays; None where the definition gives no value.
ExpectedText: TypeAlias = "Callable[[Problem, str], str | list[Any] | None]"
#: Of the true value, or of 1 where that is smaller: the error of a number that was computed in float32.
_OF_FLOAT32 = Decimal("1e-6")
#: Of the true value: however few digits are written, a difference beyond this is not rounding.
_COARSEST = Decimal("1e-2")
#: Any exponent that a case may write.
_WIDE = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN)


def require_true_values(entries: Sequence[Entry], expected_text: ExpectedText, *, except_below: Path) -> None:
    """Raise CaseErrors where an expected value of a case outside the folder ``except_below`` is not the oracle's.

    Published numbers are allowed, which have few digits, or those of a float32 computation. Whether all 17 digits are
    there is the linter's question, as are the suite's own cases.
    """
    own = Path(os.path.realpath(except_below))
    errors: list[CaseError] = []
    for entry in entries:
        if entry.case.expected and own not in Path(os.path.realpath(entry.file)).parents:
            try:
                errors += untrue(entry, expected_text, _is_rounded)
            except CaseError as error:
                errors.append(error)
    if errors:
        raise CaseErrors(errors)


def untrue(entry: Entry, expected_text: ExpectedText, same: Callable[[str, str], bool]) -> Iterator[CaseError]:
    """The expected values of a case that are not ``same`` as the oracle's; a case that states none is not expanded.

    Raises CaseError for shapes that do not fit. ``same`` is asked of the written and the true number, as text.
    """
    if not entry.case.expected:
        return
    from conformance.cases.expand import reference_problem  # which needs NumPy

    problem = reference_problem(entry)
    for key, written in entry.case.expected.items():
        path: NodePath = ("expected", key)
        if problem is None:
            hint = "remove `expected`, or choose smaller numbers or other dtypes"
            yield entry.error(path, "the case fits no dtype, so that no value can be expected", hint)
        elif (truth := expected_text(problem, key)) is None:
            yield entry.error(path, "the definition gives no value here", "remove this key")
        else:
            yield from _differences(entry, path, written, truth, same)


def _differences(
    entry: Entry, path: NodePath, written: Any, truth: Any, same: Callable[[str, str], bool]
) -> Iterator[CaseError]:
    """Every number that differs, or one error for a shape that does."""
    if isinstance(written, list) and isinstance(truth, list) and len(written) == len(truth):
        for number, (ours, theirs) in enumerate(zip(written, truth, strict=True)):
            yield from _differences(entry, (*path, number), ours, theirs, same)
    elif isinstance(written, list) or isinstance(truth, list):
        hint = "remove `expected`, and let `conformance fill` write it anew"
        yield entry.error(path, "expected value of another shape than the true one", hint)
    elif not same(written, truth):
        elsewhere = "; where the number is published elsewhere, its definition is another one"
        hint = f"write {truth}{'' if _is_rounded(written, truth) else elsewhere}"
        yield entry.error(path, f"{written} is not the true value", hint)


def same_number(one: str, other: str) -> bool:
    """Whether two decimal texts are the same number, digit for digit; infinities and NaN go by their names."""
    first, second = _decimal(one), _decimal(other)
    if first is None or second is None:
        return False
    return (first.is_nan() and second.is_nan()) or first == second


def _is_rounded(written: str, truth: str) -> bool:
    """Whether ``written`` is ``truth`` to within one in its last place, or to what float32 resolves."""
    first, second = _decimal(written), _decimal(truth)
    if first is None or second is None:
        return False
    if not (first.is_finite() and second.is_finite()):
        return same_number(written, truth)
    exponent = first.as_tuple().exponent
    with localcontext(_WIDE):
        last_place = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
        rounding = min(last_place, _COARSEST * abs(second))
        return abs(first - second) <= max(rounding, _OF_FLOAT32 * max(abs(second), Decimal(1)))


def _decimal(text: str) -> Decimal | None:
    """The number that decimal text, an infinity or NaN is; None for other text."""
    try:
        return Decimal(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except InvalidOperation:
        return None

"""Sentences from facts: every message about an outcome is made here, and none is ever read back.

Everything that a results file holds may have been written by a stranger: what ``title``, ``explain_command`` and
``facts`` give, for test reports and annotations, is plain printable text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.model.outcome import Outcome, Reason
from conformance.model.policies import policy_label
from conformance.model.quantities import QUANTITIES
from conformance.plain import command_line, plain, plain_lines

__all__ = ["apart", "check_name", "explain_command", "facts", "message", "named_cases", "statement", "title"]


def message(outcome: Outcome) -> str:
    """What an outcome says, in one sentence; with the register's entry where it is a known defect."""
    said = statement(outcome)
    if outcome.defect is None or outcome.verdict != "known":
        return said
    return f"{said} [known: {outcome.defect.id}, {outcome.defect.issue}]"


def statement(outcome: Outcome, *, numbers: bool = True, where: bool = True) -> str:
    """What an outcome says, without the register's entry that describes it; one that it resembles is named.

    ``numbers`` false leaves out those that have columns of their own; ``where`` false leaves out the adapter's line.
    """
    said = _said(outcome, numbers, where)
    if outcome.quantity and said and outcome.reason in _OF_QUANTITY:
        said = f"the {QUANTITIES[outcome.quantity]}: {said}"
    if outcome.spoils and outcome.reason != "left-damage":
        said = f"{said}; spoils {outcome.spoils}"
    if outcome.right_in:
        said = f"{said}; within the bounds of {outcome.right_in}"
    like = outcome.resembles
    return said if like is None else f"{said}; like the registered defect {like.id} ({like.issue})"


def check_name(check: str, policy: str, aspect: str) -> str:
    """The check by name: of a policy, which one and of what, for a case may be asked of several."""
    return f"policy {policy_label(policy, aspect)}" if policy else check


def title(outcome: Outcome) -> str:
    """What was checked: case, dtype, layout unless contiguous, reduction, check."""
    layout = "" if outcome.layout == "contiguous" else outcome.layout
    words = [outcome.dtype, layout, outcome.reduction, check_name(outcome.check, outcome.policy, outcome.aspect)]
    return plain(f"{outcome.case} {' '.join(word for word in words if word)}")


def explain_command(outcome: Outcome, spec: str = "", cases: Sequence[str] = ()) -> str:
    """The command that derives the case and shows what the backend gave.

    ``spec`` is how a user names the backend, and ``cases`` what ``--cases`` takes, none for the suite's own.
    """
    words = ["conformance", "explain", outcome.case, "-b", spec or outcome.backend, "--dtype", outcome.dtype]
    words += ["--layout", outcome.layout] if outcome.layout != "contiguous" else []
    return command_line(*words, *named_cases(cases))


def named_cases(paths: Sequence[str]) -> list[str]:
    """The words of a command line that name these case files and folders."""
    return [word for path in paths for word in ("--cases", path)]


def facts(
    outcome: Outcome, spec: str = "", source: str | None = None, cases: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Names and values of what a maintainer needs, without what is not known; a message keeps its lines.

    ``spec`` and ``cases`` are those of :func:`explain_command`.
    """
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
    return [*known, ("explain", explain_command(outcome, spec, cases))]


#: Reasons that are about one of the results of a transform.
_OF_QUANTITY = frozenset({"beyond-bound", "vacuous-bound", "declared", "left-open"})


def _shown_error(outcome: Outcome, *, where: bool = True) -> str:
    """The error in words, with the adapter's line; empty where there is none."""
    error = outcome.error
    if error is None:
        return ""
    placed = where and error.where and outcome.verdict not in ("pass", "unsupported")
    return f"{error} (at {error.where})" if placed else str(error)


#: What each reason says: ``{…}`` is a field of the outcome, or one of :class:`_Facts`.
_SENTENCES: dict[Reason, str] = {
    "": "",
    "raised": "{error}{excused}",
    "failed": "{error}{excused}",
    "unsupported": "{error}{excused}",
    "mode-not-used": "the call was to run compiled, and ran as plain Python",
    "unreproduced": "not again when its calls were made one by one: {error}",
    "not-again": "the check {detail} failed after other calls in the same process, and not in a fresh process{shown}",
    "left-damage": "{detail} goes wrong after this call, and not by itself{shown}",
    "left-changed": "the call left the process's global state changed: {detail}",
    "transformed-failed": "the transformed call failed: {error}",
    "no-error": "returned a result; an error is due: {detail}",
    "beyond-bound": "{size of the error}",
    "vacuous-bound": "the bound of class {declared} is vacuous here: it promises nothing",
    "wrong-shape": "the {what} has shape {observed}, not {expected}",
    "wrong-dtype": "the {what} has dtype {observed}, not {expected}{its numbers}",
    "with-gradient": "the value that came with the gradient is {observed}, alone it is {expected}",
    "declared": "{declared policies}",
    "left-open": "its declared policies leave this open{any result}",
    "intermittent": "a defect that comes and goes leaves this open{any result}",
    "declared-wrong": "declared to be wrong",
    "transformed-differs": "{observed number} where the untransformed call gave {expected number}{times}",
    "transformed-shape": "the transformed call's result has another shape",
    "wrong-sum": "the classes of position {position} sum to {observed number}, not {sum}",
    "modified": "the call modified what is not its own: {detail}",
    "shared": "a result lies in memory that is not its own: {pairs}",
    "not-repeatable": "a second call gave other bits",
    "no-warning": "no warning mentions {detail!r}{other warnings}",
    "warned": "{detail}",
    "left-out": "{detail}",
    "recorded": "{detail}",
    "required": "the case requires {detail}, which the profile declares unsupported",
    "dtype-not-declared": "not asked for in {detail}: the dtypes that the profile declares of {op} are {expected}",
    "stale": "the registered defect{its name} does not show here: its entry is out of date",
    "policy-as-declared": "observed as declared: {expected}",
    "policy-differs": "observed {values}, declared {expected}: one of the two is wrong",
    "policy-undeclared": "observed: {values}; nothing is declared",
    "policy-not-normative": "observed {quoted values}; nothing is declared, and the normative value is '{detail}'",
    "policy-undefined": "observed: {values}; declared undefined",
    "policy-unknown": "no value of this policy describes the result",
    "policy-spoilt": "the result is wrong: no value of this policy describes it",
}


def _said(outcome: Outcome, numbers: bool, where: bool) -> str:
    return _SENTENCES[outcome.reason].format_map(_Facts(outcome, numbers, where))


@dataclass(frozen=True)
class _Facts:
    """The fields of an outcome, and the parts of sentences that are made of several."""

    outcome: Outcome
    numbers: bool
    where: bool

    def __getitem__(self, name: str) -> Any:
        o = self.outcome
        match name:
            case "what":
                return QUANTITIES[o.quantity] if o.quantity else o.check
            case "error":
                return _shown_error(o, where=self.where)
            case "shown":
                shown = _shown_error(o, where=self.where) or ("" if o.observed is None else f"gave {o.observed}")
                return f": {shown}" if shown else ""
            case "excused":
                return " (as its declared policies say)" if o.verdict == "deviation" else ""
            case "size of the error":
                return _beyond_bound(o, self.numbers)
            case "declared policies":
                one = len(o.excused_by) == 1
                says = f"its declared {o.excused_by[0]} says" if one else "its declared policies say"
                return f"{o.detail}; the result is what the declared policy says" if o.detail else f"as {says}"
            case "any result":
                return ": any result" if o.check == "error" else ""
            case "observed number":
                return apart(o.observed, o.expected)
            case "expected number":
                return apart(o.expected, o.observed)
            case "sum":
                return _formatted(o.expected, "g")
            case "times":
                return f": {_size(o.ratio)} times both bounds together" if _is_finite(o.ratio) else ""
            case "other warnings":
                return f"; there was: {o.observed}" if o.observed else ""
            case "its numbers":
                return _numbers_of_another_dtype(o, self.numbers)
            case "its name":
                return "" if o.defect is None else f" {o.defect.id!r}"
            case "pairs":
                pairs = o.observed if isinstance(o.observed, list) else []
                return ", ".join(" in ".join(map(str, each)) if isinstance(each, list) else str(each) for each in pairs)
            case "values" | "quoted values":
                values = o.observed if isinstance(o.observed, list) else [o.observed]
                quote = "'" if name == "quoted values" else ""
                return " or ".join(
                    "other (what no value describes)" if each == "other" else f"{quote}{each}{quote}" for each in values
                )
        return getattr(o, name)


def _beyond_bound(o: Outcome, numbers: bool) -> str:
    """Observed and exact value, the class reached and declared, and by how much."""
    if o.observed is None or o.expected is None:
        return "wrong value"
    reached = "beyond every class" if o.class_ == "F" else f"class {o.class_}"
    classes = f"{reached}, declared {o.declared}"
    if not numbers:
        return classes
    sizes = f"{_size(o.ratio)} times the bound, {_size(o.ulp)} ulp"
    if not (_is_finite(o.observed) and _is_finite(o.expected)):
        return f"{o.observed} instead of {o.expected}" if o.class_ == "F" else f"{classes}; {sizes}"
    return f"{apart(o.observed, o.expected)} instead of {o.expected!r}: {classes}; {sizes}"


def _numbers_of_another_dtype(o: Outcome, numbers: bool) -> str:
    """What the numbers of a result of a wrong dtype are besides; nothing where they are said to be right in it."""
    if o.class_ is None or o.right_in:
        return ""
    reached = "beyond every class" if o.class_ == "F" else f"of class {o.class_}"
    size = f", {_size(o.ratio)} times the bound" if numbers and _is_finite(o.ratio) else ""
    return f"; its numbers are {reached} in {o.detail}{size}"


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _digits(value: Any) -> str:
    """Nine digits of a number; of what a results file holds instead, its text."""
    return _formatted(value, ".9g")


def apart(value: Any, other: Any, digits: int = 9) -> str:
    """A number in ``digits`` digits, or in as many more as it takes to differ from another one in as many."""
    pairs = ((_formatted(value, f".{n}g"), _formatted(other, f".{n}g")) for n in range(digits, 18))
    return next((text for text, beside in pairs if text != beside), _formatted(value, f".{digits}g"))


def _size(value: Any) -> str:
    return _formatted(value, ".3g")


def _formatted(value: Any, form: str) -> str:
    try:
        return format(float(value), form)
    except (TypeError, ValueError):
        return str(value)


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

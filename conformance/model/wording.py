"""Sentences from facts: every message about an outcome is made here, and none is ever read back.

Everything that a results file holds may have been written by a stranger: what ``title``, ``explain_command`` and
``facts`` give, for test reports and annotations, is plain printable text.
"""

from __future__ import annotations

import json
import math
import shlex
from typing import Any

from conformance.model.outcome import Outcome
from conformance.plain import plain, plain_lines

__all__ = ["apart", "check_name", "explain_command", "facts", "message", "statement", "title"]


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
        said = f"the {outcome.quantity}: {said}"
    like = outcome.resembles
    return said if like is None else f"{said}; like the registered defect {like.id} ({like.issue})"


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


#: Reasons that are about one of the results of a transform.
_OF_QUANTITY = frozenset({"beyond-bound", "vacuous-bound", "declared", "left-open"})


def _shown_error(outcome: Outcome, *, where: bool = True) -> str:
    """The error in words, with the adapter's line; empty where there is none."""
    error = outcome.error
    if error is None:
        return ""
    placed = where and error.where and outcome.verdict not in ("pass", "unsupported")
    return f"{error} (at {error.where})" if placed else str(error)


def _said(outcome: Outcome, numbers: bool, where: bool) -> str:
    o = outcome
    what = o.quantity or o.check
    match o.reason:
        case "":
            return ""
        case "raised" | "failed" | "unsupported":
            excused = " (as its declared policies say)" if o.verdict == "deviation" else ""
            return _shown_error(o, where=where) + excused
        case "unreproduced":
            return f"not again when its calls were made one by one: {_shown_error(o, where=where)}"
        case "left-changed":
            return f"the call left the process's global state changed: {o.detail}"
        case "transformed-failed":
            return f"the transformed call failed: {_shown_error(o, where=where)}"
        case "no-error":
            return f"returned a result; an error is due: {o.detail}"
        case "beyond-bound":
            return _beyond_bound(o, numbers)
        case "vacuous-bound":
            return f"the bound of class {o.declared} is vacuous here: it promises nothing"
        case "wrong-shape":
            return f"the {what} has shape {o.observed}, not {o.expected}"
        case "wrong-dtype":
            return f"the {what} has dtype {o.observed}, not {o.expected}"
        case "with-gradient":
            return f"the value that came with the gradient is {o.observed}, alone it is {o.expected}"
        case "declared":
            if o.detail:
                return f"{o.detail}; the result is what the declared policy says"
            return (
                f"as its declared {o.excused_by[0]} says" if len(o.excused_by) == 1 else "as its declared policies say"
            )
        case "left-open":
            return "its declared policies leave this open" + (": any result" if o.check == "error" else "")
        case "declared-wrong":
            return "declared to be wrong"
        case "transformed-differs":
            sizes = f"{apart(o.observed, o.expected)} where the untransformed call gave {apart(o.expected, o.observed)}"
            return f"{sizes}: {_size(o.ratio)} times both bounds together"
        case "transformed-shape":
            return "the transformed call's result has another shape"
        case "wrong-sum":
            sums = f"{apart(o.observed, o.expected)}, not {_formatted(o.expected, 'g')}"
            return f"the classes of position {o.position} sum to {sums}"
        case "modified":
            return f"the call modified what is not its own: {o.detail}"
        case "not-repeatable":
            return "a second call gave other bits"
        case "no-warning":
            others = f"; there was: {o.observed}" if o.observed else ""
            return f"no warning mentions {o.detail!r}{others}"
        case "warned" | "left-out" | "recorded":
            return o.detail
        case "required":
            return f"the case requires {o.detail}, which the profile declares unsupported"
        case "stale":
            name = "" if o.defect is None else f" {o.defect.id!r}"
            return f"the registered defect{name} does not show here: its entry is out of date"
        case _:
            return _of_policy(o)


def _of_policy(o: Outcome) -> str:
    seen = " or ".join(map(str, o.observed)) if isinstance(o.observed, list) else str(o.observed)
    match o.reason:
        case "policy-as-declared":
            return f"observed as declared: {o.expected}"
        case "policy-differs":
            return f"observed {seen}, declared {o.expected}: one of the two is wrong"
        case "policy-undeclared":
            return f"observed: {seen}; nothing is declared"
        case "policy-not-normative":
            return f"observed {seen} where nothing is declared, so that {o.detail} is expected"
        case "policy-undefined":
            return f"observed: {seen}; declared undefined"
        case "policy-spoilt":
            return "the result is wrong: no value of this policy describes it"
        case _:
            return "no value of this policy describes the result"


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

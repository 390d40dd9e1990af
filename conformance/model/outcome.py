"""The outcome of one check: facts in fields. ``conformance.model.wording`` makes the sentence."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from conformance.model.case import Invalid, OperationName
from conformance.model.checks import Check
from conformance.model.dtypes import DtypeName
from conformance.model.layouts import Layout
from conformance.model.quantities import Quantity
from conformance.model.verdicts import Verdict

__all__ = [
    "REASONS",
    "Count",
    "DefectRef",
    "ErrorFact",
    "Number",
    "Outcome",
    "Reason",
    "UnitKey",
    "as_json",
    "names_values",
    "number",
    "stands_apart",
]

#: A number of things, or the place of one.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
#: JSON has no infinities and no NaN.
Number = float | Literal["inf", "-inf", "nan"]
#: How deep lists and mappings may lie in each other in a field of any type, which come from strangers, too.
DEEPEST = 16
#: What is done as a whole and written as one block: backend, case, dtype, layout.
UnitKey = tuple[str, str, str, str]

Reason = Literal[
    "",
    "raised",
    "failed",
    "transformed-failed",
    "no-error",
    "beyond-bound",
    "vacuous-bound",
    "wrong-shape",
    "wrong-dtype",
    "with-gradient",
    "declared",
    "left-open",
    "intermittent",
    "declared-wrong",
    "transformed-differs",
    "transformed-shape",
    "wrong-sum",
    "modified",
    "shared",
    "not-repeatable",
    "warned",
    "no-warning",
    "unsupported",
    "mode-not-used",
    "required",
    "dtype-not-declared",
    "left-out",
    "policy-as-declared",
    "policy-differs",
    "policy-undeclared",
    "policy-not-normative",
    "policy-undefined",
    "policy-unknown",
    "policy-spoilt",
    "stale",
    "unreproduced",
    "not-again",
    "left-changed",
    "left-damage",
    "recorded",
]

#: Why a verdict is what it is: each word, and which fields hold its particulars.
REASONS: dict[Reason, str] = {
    "": "the numbers say all",
    "raised": "the framework raised `error`",
    "failed": "the call gave no result: `error`",
    "transformed-failed": "the transformed call of an identity gave no result: `error`",
    "no-error": "a result where an error is due; `detail` says why the input is invalid",
    "beyond-bound": "`observed` is `ratio` times its bound from `expected`",
    "vacuous-bound": "the bound of the class `declared` promises nothing here",
    "wrong-shape": "`observed` and `expected` are shapes",
    "wrong-dtype": "`observed` and `expected` are dtypes; `class`, `declared` and `ratio` are those of the numbers by "
    "the bounds of `detail`: of the dtype that came back where it is the narrower one and holds the inputs",
    "with-gradient": "the value that came with the gradient is `observed` in dtype and shape, alone it is `expected`",
    "declared": "the result is what the policies `excused_by` say; `detail` is why an error would be due without them",
    "left-open": "the policies `excused_by` leave the result open",
    "intermittent": "the registered defect `defect` comes and goes, and leaves the result open",
    "declared-wrong": "the policies `excused_by` declare the result to be wrong",
    "transformed-differs": "the transformed call gave `observed`, the plain one `expected`",
    "transformed-shape": "the transformed call's result has another shape",
    "wrong-sum": "the classes of `position` sum to `observed`",
    "modified": "the call changed the inputs that `detail` names",
    "shared": "results lie in the memory of inputs, or of each other: `observed` are pairs, the result and the other",
    "not-repeatable": "a second call gave other bits",
    "warned": "the warning `detail` came",
    "no-warning": "no warning mentions `detail`; `observed` is the first of those that came instead",
    "unsupported": "the framework lacks the feature: `error`",
    "mode-not-used": "a right result, of a call that ran uncompiled, though it was to be compiled",
    "required": "the case requires the feature `detail`, which the profile declares unsupported",
    "dtype-not-declared": "not asked: of the operation the profile declares the dtypes `expected`, not `detail`",
    "left-out": "the case was not run; `detail` says why",
    "policy-as-declared": "the policy was observed as declared",
    "policy-differs": "the policy was observed as `observed`, and `expected` is declared",
    "policy-undeclared": "the policy was observed, and nothing is declared of it",
    "policy-not-normative": "nothing is declared of the policy, and not its normative value `detail` was observed",
    "policy-undefined": "the policy is declared undefined",
    "policy-unknown": "no value of the policy describes the result",
    "policy-spoilt": "no value of the policy describes the result, which is wrong by another check",
    "stale": "the registered defect `defect` does not show",
    "left-changed": "the call left changed what `detail` names of the process's global state",
    "left-damage": "after this call that of the case `detail` goes wrong, and alone it does not: its `error`, if any",
    "not-again": "the check `detail` failed in a process that had answered other calls, and not in one that had not",
    "unreproduced": "the backend ended by `error` while this call, or those that were made with it, were under way",
    "recorded": "`detail` is the message of a file of an earlier schema, as it stood there",
}


class DefectRef(msgspec.Struct, frozen=True):
    """An entry of a register of known defects: its ``id``, and the ``issue`` in which it is reported."""

    id: str
    issue: str = ""


class ErrorFact(msgspec.Struct, frozen=True):
    """An exception or failure: its ``type`` (may be empty), its ``text``, and the adapter's ``file:line`` if known."""

    type: str
    text: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.type}: {self.text}" if self.type else self.text


#: The fields whose values are whatever was found.
_OPEN = ("ulp", "ratio", "bound", "observed", "expected", "worst_input")
_open = attrgetter(*_OPEN)


class Outcome(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="outcome", omit_defaults=True, gc=False
):
    """The verdict of one check. Non-finite floats become strings when the object is made.

    Raises ValueError for what no reader could use: lists in lists without end, a policy's values that are not words.

    ``backend`` names the record of the same file that holds its identity. ``class_`` is ``class`` in JSON, the accuracy
    class that was reached; ``declared`` is the one that the backend is held to. ``ulp`` is the distance to the exact
    real over the spacing there, ``bound`` the absolute tolerance at the worst element, ``ratio`` error over tolerance.
    ``position`` counts the problem's rows (its logits without the class axis) from 0; ``worst_input`` holds the row's
    logits as hexadecimal floats, its target, and the class. ``quantity`` is which of a transform's results is
    meant. ``seconds`` is the framework's own time, and ``worker`` names the record of the worker that took it, where
    there are several machines. Where the check is ``policy``, ``policy`` names it, and ``aspect`` what it is asked of
    (of ``label-out-of-range`` a label ``above``); ``observed`` lists the values that describe what was seen, and
    ``expected`` is the declared one. ``excused_by`` are the declared policies by which a result deviates. ``defect`` is
    the register's entry that describes a known defect, and ``resembles`` one that would describe the fail of another
    case. ``invalid`` is what makes the input invalid, where no error came. ``spoils``: after the call, a small valid
    one was answered otherwise than before. ``right_in`` is the narrower dtype within whose bounds a wrong result is, as
    if computed there. ``reason`` is one of :data:`REASONS`, which says what the fields hold.
    """

    case: str
    theme: str = ""
    backend: str
    dtype: DtypeName
    layout: Layout
    op: OperationName
    reduction: str = ""
    check: Check
    policy: str = ""
    aspect: str = ""
    verdict: Verdict
    class_: str | None = msgspec.field(default=None, name="class")
    declared: str | None = None
    ulp: Number | None = None
    ratio: Number | None = None
    bound: Number | None = None
    observed: Any = None
    expected: Any = None
    worst_input: Any = None
    position: Count | None = None
    quantity: Quantity | Literal[""] = ""
    defect: DefectRef | None = None
    resembles: DefectRef | None = None
    excused_by: tuple[str, ...] = ()
    invalid: Invalid | None = None
    error: ErrorFact | None = None
    reason: Reason = ""
    detail: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    worker: str = ""
    spoils: Literal["", "later calls"] = ""
    right_in: DtypeName | Literal[""] = ""

    def __post_init__(self) -> None:
        for name, value in zip(_OPEN, _open(self), strict=True):
            if value is not None and (type(value) is not float or not math.isfinite(value)):
                writable = as_json(value)
                if writable is not value:
                    msgspec.structs.force_setattr(self, name, writable)
        if self.check == "policy" and not names_values(self):
            raise ValueError("of a policy, `observed` lists its values as text, and `expected` is one")

    @property
    def is_lost(self) -> bool:
        """Whether nobody chose to leave it out: it was not reached, since the backend's process had died."""
        return self.verdict == "not run" and self.reason == "failed"

    @property
    def unit(self) -> UnitKey:
        """What this outcome is a part of."""
        return (self.backend, self.case, self.dtype, self.layout)


def stands_apart(outcome: Outcome) -> bool:
    """Whether it names a unit and is not a part of it: it is on record with that by which it came to light.

    So are what the register says, and what a call of an earlier task has left behind.
    """
    return outcome.check == "register" or outcome.reason == "left-damage"


def number(value: Number) -> float:
    """The float that ``value`` stands for: ``inf``, ``-inf`` and ``nan`` are read back."""
    return float(value)


def as_json(value: Any, depth: int = 0) -> Any:
    """``value`` in terms that JSON has: lists, mappings, plain numbers, and strings for all else.

    Raises ValueError where it is nested deeper than any fact is, or holds an integer beyond 64 bits.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool or (kind is list and {*map(type, value)} <= {str}):
        return value
    if isinstance(value, float):
        plain = value if kind is float else float(value)
        return plain if math.isfinite(plain) else str(plain)
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise ValueError("an integer beyond 64 bits")
        return value
    if depth == DEEPEST:
        raise ValueError(f"lists or mappings more than {DEEPEST} deep in each other")
    if isinstance(value, list | tuple):
        return [as_json(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {str(name): as_json(each, depth + 1) for name, each in value.items()}
    if hasattr(value, "tolist"):  # a NumPy array or scalar
        return as_json(value.tolist(), depth + 1)
    return str(value)


def names_values(outcome: Any) -> bool:
    """Whether an outcome of a policy names its values, as text: what was observed, and what is declared."""
    observed, declared = outcome.observed, outcome.expected
    listed = observed is None or (isinstance(observed, list) and {*map(type, observed)} <= {str})
    return listed and (declared is None or isinstance(declared, str))

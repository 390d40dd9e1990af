"""What a policy is beside its values: what it affects, by what its value may differ, and how it is observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from conformance.model.case import OPERATIONS, OperationName
from conformance.model.dtypes import DTYPES, HALF

if TYPE_CHECKING:  # a problem holds arrays, and listing the policies must not load NumPy
    from conformance.model.problem import Array, Problem

__all__ = [
    "DTYPE",
    "HALF_TYPED",
    "IGNORED",
    "INPUT",
    "LABEL",
    "MIXED",
    "OPERATION",
    "TARGET",
    "TARGET_DTYPE",
    "AcceptedDtypes",
    "AcceptedInput",
    "AcceptedInputs",
    "Aspect",
    "Policy",
]

#: ``question``: what is asked, never what the answer to a question is, so that the answer stays if the question does.
#: ``answer``: what is right. ``intermediates``: results that are not finite. ``transform``: only a check of its own.
Affects = Literal["question", "answer", "intermediates", "transform"]


@dataclass(frozen=True)
class Aspect:
    """What a policy may have a value of its own for: what these are called, which there are, and that of a problem.

    ``names`` are the keys of a mapping of values, empty where a profile lists what is accepted instead. ``of`` is empty
    for a problem of which the policy says nothing.
    """

    kind: str
    names: tuple[str, ...]
    of: Callable[[Problem], str]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is known of one policy beside its values.

    ``values`` are those that can be observed, the normative one first; by default those of the field's ``Literal``
    without ``undefined``, which leaves any result open; a declared number (:func:`number_given`) is observed as well.
    ``observed_by`` names the check that observes it; otherwise cases do, by the ``result`` in which its value shows.
    ``operations`` are those that it is about; all, where none is named.
    ``sound`` says that every value is: who declares nothing has not failed.
    """

    affects: Affects = "answer"
    result: Literal["value", "gradient"] = "value"
    aspect: Aspect | None = None
    operations: tuple[OperationName, ...] = ()
    observed_by: str = ""
    sound: bool = False
    values: tuple[Any, ...] = ()
    name: str = ""
    field: str = ""

    def is_about(self, operation: OperationName) -> bool:
        """Whether it says anything of an operation."""
        return not self.operations or operation in self.operations

    def normative(self, aspect: str) -> str:
        """The normative value as text."""
        return str(self.values[0])

    def speaks_of(self, declared: Mapping[str, Any], aspect: str) -> bool:
        """Whether what is declared by aspect has a value for this one."""
        return not aspect or bool({aspect, "all"} & declared.keys())

    def chosen(self, value: Any, aspect: str) -> str:
        """The value for ``aspect`` as text, of what is declared for all."""
        if isinstance(value, Mapping):
            value = value.get(aspect, value.get("all", self.values[0]))
        return str(value)


class AcceptedDtypes(Policy):
    """A policy that lists dtypes: each is accepted or refused."""

    def speaks_of(self, declared: Mapping[str, Any], aspect: str) -> bool:
        """Always: what is not listed is said to be refused."""
        return True

    def normative(self, aspect: str) -> str:
        """Integers are accepted."""
        return "accepted" if aspect.startswith(("int", "uint")) else "refused"

    def chosen(self, value: Any, aspect: str) -> str:
        """Whether the dtype ``aspect`` is listed; the normative value where nothing is."""
        if not value:
            return self.normative(aspect)
        return "accepted" if aspect in value else "refused"


class AcceptedInputs(Policy):
    """A policy that lists kinds of invalid input that are taken: all others are refused."""

    def normative(self, aspect: str) -> str:
        """None is accepted."""
        return "refused"

    def chosen(self, value: Any, aspect: str) -> str:
        """Whether the kind ``aspect`` is listed."""
        return "accepted" if not isinstance(value, str) and aspect in value else "refused"


def _targets(problem: Problem) -> Array:
    import numpy as np

    return np.asarray(problem.targets)


def _label_kind(problem: Problem) -> str:
    """``above``, ``negative`` or ``below``, by the first label that is neither a class nor ignored."""
    outside = problem.labels_out_of_range()
    if outside is None:
        return ""
    label = int(_targets(problem)[outside].reshape(-1)[0])
    classes = problem.logits.shape[problem.class_axis or 0] if problem.logits.ndim else 1
    return "above" if label >= classes else "negative" if label >= -classes else "below"


#: Class probabilities of a dtype that the logits do not have.
MIXED = Aspect("dtype of the logits", DTYPES, lambda problem: problem.dtype if problem.probability_dtype else "")
#: The operation on logits of a half type.
HALF_TYPED = Aspect(
    "operation", (*OPERATIONS, "all"), lambda problem: problem.operation if problem.dtype in HALF else ""
)
OPERATION = Aspect("operation", (*OPERATIONS, "all"), lambda problem: problem.operation)
DTYPE = Aspect("dtype", DTYPES, lambda problem: problem.dtype)
#: ``above`` is C and beyond, ``negative`` is −C to −1, ``below`` is less than −C.
LABEL = Aspect("kind of label", ("above", "negative", "below"), _label_kind)
TARGET = Aspect("kind of target", ("indices", "probabilities"), lambda problem: str(problem.target_kind))
IGNORED = Aspect(
    "kind of ignored label",
    ("non-negative", "negative"),
    lambda problem: "negative" if (problem.ignore_index or 0) < 0 else "non-negative",
)
TARGET_DTYPE = Aspect("dtype", (), lambda problem: str(_targets(problem).dtype.name))

#: What makes an input invalid and has no policy of its own, by the words of ``Outcome.invalid``.
AcceptedInput = Literal[
    "axis",
    "reduction",
    "smoothing-above",
    "smoothing-below",
    "smoothing-nan",
    "target-shape",
    "target-type",
    "upstream-shape",
    "weight-shape",
]
_ACCEPTABLE: tuple[str, ...] = get_args(AcceptedInput)


INPUT = Aspect("kind of input", (), lambda problem: problem.invalid if problem.invalid in _ACCEPTABLE else "")

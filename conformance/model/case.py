"""The case model: what a case file may say. ``cases/schema.json`` is generated from these classes."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, get_args

import msgspec

from conformance.model.dtypes import DTYPES, DtypeName
from conformance.model.layouts import Layout

__all__ = [
    "GENERATOR_KEYS",
    "INPUTS",
    "NO_REDUCTIONS",
    "OPERATIONS",
    "REDUCTIONS",
    "TRANSFORMS",
    "Budget",
    "Case",
    "CaseFile",
    "CaseTier",
    "Drawing",
    "Expect",
    "Flag",
    "Generator",
    "Notes",
    "OperationName",
    "Provenance",
    "ReductionName",
    "TargetKind",
    "TransformName",
    "generator_keys",
]

OperationName = Literal["softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss"]
OPERATIONS: tuple[OperationName, ...] = (
    "softmax",
    "log_softmax",
    "nll_loss",
    "cross_entropy",
    "nll_loss_of_log_softmax",
    "log_loss",
)
#: What an operation's input is called in a case where it is not ``logits``.
INPUTS: dict[OperationName, str] = {"nll_loss": "log_probabilities", "log_loss": "probabilities"}
ReductionName = Literal["none", "sum", "mean", "default", "unknown", "MEAN", "batchmean"]
REDUCTIONS: tuple[ReductionName, ...] = ("none", "sum", "mean")
#: Words that are not reductions of these losses, passed on as they are.
NO_REDUCTIONS: tuple[ReductionName, ...] = ("unknown", "MEAN", "batchmean")
#: What logits may be instead of floating-point numbers.
IntegerName = Literal["bool", "int8", "int16", "int32", "int64", "uint8"]
#: What targets are; ``python``: a plain Python object, passed on as it is.
TargetKind = Literal["indices", "probabilities", "python"]
#: Differentiation and mapping beyond value and gradient, each a check of its own.
TransformName = Literal[
    "forward-mode", "second-order", "vectorised-map", "target-gradient", "second-backward", "concurrent", "refilled"
]
TRANSFORMS: tuple[TransformName, ...] = get_args(TransformName)
#: ``full``: left out for backends that compile anew for every shape, unless a run is of the tier ``full``.
CaseTier = Literal["default", "full"]

# `$` alone matches before a last line end, too, and a JSON Schema knows no `\\Z`.
Identifier = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9]+(?:[-.][a-z0-9]+)*$(?!\n)",
        max_length=120,
        description="lower-case words joined by '-' or '.'; permanent once published",
    ),
]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Extent = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
# Nested lists of numbers, at most five levels (ranks 0 to 5); the loader checks that they are regular.
Numbers = float | int | list  # type: ignore[type-arg]


class Drawing(NamedTuple):
    """The numbers that a generator draws with; these are the ones where a case states none."""

    scale: float = 1.0
    offset: float = 0.0
    seed: int = 0
    apart: float = 0.0


_USUAL = Drawing()


class Generator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seeded numbers in place of literal ones: the same bytes on every machine.

    ``uniform`` draws from [offset − scale, offset + scale); ``normal`` approximates a normal distribution of mean
    ``offset`` and standard deviation ``scale`` by the sum of twelve uniform ones; ``constant`` is ``offset``
    everywhere; ``labels`` draws integers from [0, classes); ``ramp`` rises evenly from offset − scale to offset +
    scale; ``one-hot`` is ``scale`` at one seeded class per position and 0 elsewhere, plus ``offset``;
    ``simplex`` is positive and sums to about 1 along the class axis (probability targets). ``masked`` sets the
    elements of the last axis from the first number up to, and without, the second to −inf, whatever was drawn;
    ``planted`` then puts numbers, or NaN and infinities, at single elements, which count from 0 in row-major order.
    ``apart`` moves the positions in turn by −apart, 0 and +apart before anything is masked or planted.

    A key that is not stated is None; :attr:`drawing` has what holds then.
    """

    distribution: Literal["uniform", "normal", "constant", "labels", "ramp", "one-hot", "simplex"]
    shape: list[Extent] | None = None
    scale: float | None = None
    offset: float | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    classes: Extent | None = None
    masked: tuple[Extent, Extent] | None = None
    planted: list[tuple[Extent, float]] | None = None
    apart: float | None = None

    @property
    def drawing(self) -> Drawing:
        """The stated numbers, and the usual ones in place of those that are not stated."""
        return Drawing(
            _USUAL.scale if self.scale is None else self.scale,
            _USUAL.offset if self.offset is None else self.offset,
            _USUAL.seed if self.seed is None else self.seed,
            _USUAL.apart if self.apart is None else self.apart,
        )


#: The keys that each distribution takes beside ``shape``, and what they are to it.
GENERATOR_KEYS: dict[str, dict[str, str]] = {
    "uniform": {"scale": "half the width", "offset": "the middle", "seed": "", "masked": ""},
    "normal": {"scale": "the standard deviation", "offset": "the mean", "seed": "", "masked": ""},
    "constant": {"offset": "the number itself", "masked": ""},
    "ramp": {"scale": "half the rise", "offset": "the middle", "masked": ""},
    "one-hot": {"scale": "the height", "offset": "the others", "seed": "", "masked": ""},
    "simplex": {"seed": "", "masked": ""},
    "labels": {"classes": "how many there are", "seed": ""},
}


def generator_keys(distribution: str) -> str:
    """What a generator of ``distribution`` takes, in words: ``constant takes shape, offset (the number itself)``."""
    keys = {"shape": "", **GENERATOR_KEYS[distribution], "planted": ""}
    return f"{distribution} takes " + ", ".join(f"{key} ({what})" if what else key for key, what in keys.items())


#: What makes an input invalid, so that an error is due.
Invalid = Literal[
    "axis",  # the class axis is not there, or has no default
    "class-extent",  # there is no class
    "ignore-index",  # a label to ignore beside class probabilities
    "label",  # one that is not among the classes
    "label-beside-smoothing",
    "label-beyond-32-bits",
    "label-of-no-class",  # where there is none
    "logits-dtype",  # integers or truth values
    "logits-rank",  # a scalar
    "probability-dtype",  # another than that of the logits
    "reduction",  # none has that name
    "smoothing-above",  # 1
    "smoothing-below",  # 0
    "smoothing-nan",
    "target-dtype",
    "target-shape",
    "target-type",  # Python objects and no tensor
    "upstream-shape",  # another than that of the value
    "weight-shape",  # not one weight for each class
]


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be raised (``error``: why the input is invalid) or warned of (``warning``: words of the warning)."""

    error: Text | None = None
    warning: Text | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory in bytes and time in seconds that one call may need; above the run's limits the case is opt-in."""

    memory: Annotated[int, msgspec.Meta(ge=0)] = 0
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose test a case was taken from: the project and its version, the test's name there, the numbers' license."""

    project: Text
    version: Text
    test: Text
    license: Text


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vector: an operation on logits, and what must come of it.

    ``axis`` left out is class axis 1 (0 for logits of rank 1), stated to the framework; ``default`` leaves the
    argument out, so that the framework's default is observed. ``ignore_index`` and ``label_smoothing`` left out leave
    the argument out.
    ``logits_dtype`` makes integers of the logits, and ``unknown``, ``MEAN`` or ``batchmean`` among the reductions is
    no reduction: either must be refused. ``where`` says which classes take part, by 1 and 0 in the logits' shape: the
    others are impossible, as with logits of −inf. ``layouts`` says how the operands lie in memory
    (``conformance list layouts``), each of them in a call of its own.
    ``upstream`` left out is a seeded upstream gradient of both signs, never only ones. ``transforms`` asks for the
    derivative in a direction, for that of the gradient, for the vectorised map, or for the gradient with respect to
    class probabilities; ``tangent`` is the direction, of the logits' shape, seeded where it is left out. ``tier`` says
    whether a compiler, to which every shape is dear, is spared the case by default. ``spacing`` makes the call a larger
    one: position i along axis 0 is position i·spacing of the call, and those between them are zeros (of label 0, and
    with an upstream gradient of 0) which are not judged. ``expected`` maps a reduction (or ``value`` for softmax and
    log_softmax) to decimal text of 17 significant digits, for the logits rounded to the widest dtype of the case.
    """

    id: Identifier
    why: Text
    flags: tuple[Identifier, ...] = ()
    references: tuple[Text, ...] = ()
    source: Provenance | None = None
    op: OperationName
    logits: Generator | Numbers | None = None
    log_probabilities: Generator | Numbers | None = None
    probabilities: Generator | Numbers | None = None
    targets: Generator | Numbers | None = None
    targets_as: TargetKind | None = None
    target_dtype: str | None = None
    axis: int | Literal["default"] | None = None
    logits_dtype: IntegerName | None = None
    where: Generator | Numbers | None = None
    weight: Generator | Numbers | None = None
    ignore_index: int | None = None
    label_smoothing: float | None = None
    reductions: tuple[ReductionName, ...] = REDUCTIONS
    dtypes: tuple[DtypeName, ...] = DTYPES
    layouts: tuple[Layout, ...] = ("contiguous",)
    upstream: Generator | Numbers | None = None
    transforms: tuple[TransformName, ...] = ()
    tangent: Generator | Numbers | None = None
    expected: dict[str, str | list] | None = None  # type: ignore[type-arg]
    expect: Expect | None = None
    policy: str | tuple[str, ...] | None = None
    requires: tuple[Identifier, ...] = ()
    spacing: Annotated[int, msgspec.Meta(ge=2, le=2**40)] | None = None
    budget: Budget = Budget()
    tier: CaseTier = "default"

    @property
    def in_threads(self) -> TransformName | None:
        """What two threads do at once where ``concurrent`` is asked for: the other transform, or the plain call."""
        return next((name for name in self.transforms if name not in ("concurrent", "refilled")), None)

    @property
    def input(self) -> Generator | Numbers | None:
        """The logits, the log-probabilities of ``nll_loss``, or the probabilities of ``log_loss``."""
        given = (self.logits, self.log_probabilities, self.probabilities)
        return next((each for each in given if each is not None), None)

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that the case observes."""
        return () if self.policy is None else (self.policy,) if isinstance(self.policy, str) else self.policy


class CaseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of cases on one theme."""

    theme: Identifier
    why: Text | None = None
    cases: list[Case]


class Flag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flag means: the class of bug, what goes wrong if you fail, and where it has been seen."""

    bug_class: Text
    effect: Text
    references: tuple[Text, ...] = ()


class Notes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cases/notes.yaml``: every flag that a case may carry."""

    flags: dict[Identifier, Flag]

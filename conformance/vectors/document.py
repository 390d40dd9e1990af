"""What the files of vectors hold, and what a line of results may say: types, from which the schemas are generated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from conformance.disk import contents
from conformance.model.case import OperationName, ReductionName, TransformName
from conformance.model.classes import Letter
from conformance.model.dtypes import DtypeName
from conformance.model.errors import Place, UsageError
from conformance.model.quantities import Quantity

__all__ = [
    "FORMAT",
    "INDEX",
    "Alternative",
    "Expected",
    "Index",
    "LeftOut",
    "Line",
    "Tensor",
    "Theme",
    "Vector",
    "read_index",
]

#: Raised whenever a reader of the older form would misread the newer one.
FORMAT = 1
INDEX = "index.json"
_MOST_INDEX = 64 << 20  # bytes
Answer = Literal["value", "error", "open"]


class Tensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers in row-major order, exact in ``dtype``: in ``data``, or by the name ``tensor`` in the theme's file.

    NaN, the infinities and minus zero are the strings NaN, Infinity, -Infinity and -0.0. In .npz files bfloat16 is
    uint16, its bits. Of raw files the name is the offset in bytes; numbers are little-endian there.
    """

    dtype: str
    shape: list[int]
    data: list[Any] | None = None
    tensor: str | None = None


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """An exact result, and the absolute error that each accuracy class allows each element.

    ``exact`` is the nearest float64 (17 digits), off by ``radius`` more at the most. A bound of Infinity promises
    nothing; where ``exact`` is not finite, the result must be the same, unless the bound is Infinity.
    """

    exact: Tensor
    bounds: dict[Letter, Tensor]
    radius: float = 0.0


class Alternative(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The right answer for an implementation that declares ``value`` of ``policy``: ``same`` as without, or its own."""

    policy: str
    value: str
    answer: Literal["value", "error", "open", "same"]
    expected: dict[str, Expected] = {}


class Vector(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``asks`` names the results that are wanted; ``answer`` is what is right: a value, an error, or open.

    ``axis`` null: the argument is left out, as are those of ``ignore_index`` and ``label_smoothing`` that are null.
    ``inputs`` are logits (log-probabilities for nll_loss, probabilities for log_loss), targets, weight, where (classes
    that take part), upstream (the gradient with respect to the value, for ``gradient``, ``hvp`` and
    ``target_gradient``), tangent (the direction of ``jvp`` and ``hvp``). ``layouts`` are those that ``conformance run``
    asks the same numbers in.
    """

    id: str
    case: str
    why: str
    op: OperationName
    reduction: ReductionName
    dtype: DtypeName
    asks: list[Quantity]
    axis: int | None
    inputs: dict[str, Tensor]
    answer: Answer
    ignore_index: int | None = None
    label_smoothing: float | None = None
    transform: TransformName | None = None
    error: str = ""
    expected: dict[str, Expected] = {}
    policies: list[Alternative] = []
    requires: list[str] = []
    flags: list[str] = []
    references: list[str] = []
    layouts: list[str] = []


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """The vectors of a theme. ``tensors`` is the file beside it that holds those that do not stand in it, or null."""

    format: int = FORMAT
    suite: str
    theme: str
    tensors: str | None
    vectors: list[Vector]


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A case that has no vectors in a dtype, and why."""

    case: str
    dtype: str
    reason: str


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """``index.json``: which cases the vectors of a folder are of, and by which digests these are known again.

    ``themes`` maps each theme's file to the number of its vectors, ``cases`` each case to its dtypes.
    """

    format: int = FORMAT
    suite: str
    tensors: Literal["json", "npz", "safetensors", "raw"]
    themes: dict[str, int]
    cases: dict[str, list[DtypeName]]
    digests: list[str]
    left_out: list[LeftOut] = []


def read_index(folder: Path) -> Index:
    """The index of a folder of vectors, or in a file. Raises UsageError for what is none."""
    path = folder / INDEX if folder.is_dir() else folder
    hint = "name a folder that `conformance export vectors` has written"
    if not path.exists():  # nor is there one before an export has come to its end
        raise UsageError("there is no index of vectors", place=Place(path), hint=hint)
    try:
        index = msgspec.json.decode(contents(path, _MOST_INDEX), type=Index)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"not an index of vectors: {error}", place=Place(path), hint=hint) from None
    if index.format != FORMAT:
        problem = f"vectors of format {index.format}, and this version reads {FORMAT}"
        raise UsageError(problem, place=Place(path), hint="export the vectors again with this version")
    return index


Numbers = float | str | list  # type: ignore[type-arg]
Words = Annotated[str, msgspec.Meta(max_length=4000)]


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of results: what a kernel gave for a vector.

    Numbers are nested lists, or one list in row-major order; each is a number, or a string: NaN, Infinity, -Infinity,
    -0.0, or a hexadecimal number as C's ``%a`` prints it. They are rounded to the vector's dtype. ``error`` says that
    the call was refused, ``unsupported`` that the kernel does not offer it; beside results, either is about those that
    lack.
    """

    id: Annotated[str, msgspec.Meta(max_length=400)]
    value: Numbers | None = None
    gradient: Numbers | None = None
    jvp: Numbers | None = None
    hvp: Numbers | None = None
    target_gradient: Numbers | None = None
    error: Words | None = None
    unsupported: Words | None = None

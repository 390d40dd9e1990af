"""Each operation in each type, along each axis, and in two threads: triples that the pairs of sizes do not hold.

The code of an operation in a half type is code of its own, and may lack a memory layout, long batches or wide rows, as
that for five axes may lack ignored positions, and that for float16 a negative axis. Here each operation and type occurs
with each level of the other factors, each stated axis with each operation, type and divisor, and each operation in two
threads at once with each type, size and divisor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.corpus import sizes

__all__ = ["ALONG_AXES", "IN_THREADS", "IN_TYPES", "allowed", "named"]

_FORMS, _DTYPES = sizes.FACTORS["form"], sizes.FACTORS["dtype"]
_LABELLED = ("labels", "nll", "composed")
_LOSSES = tuple(form for form in _FORMS if not form.endswith("softmax"))
#: The forms in which an operand has no axis of classes.
_BY_POSITION = {"targets": _LABELLED, "upstream": _LOSSES}
_OF_TWO_AXES = [name for name, shape in sizes.SHAPES.items() if len(shape.extents) == 2]
IN_TYPES: dict[str, tuple[str, ...]] = {
    "form dtype": tuple(f"{form} {dtype}" for form in _FORMS for dtype in _DTYPES),
    "shape": ("few", "long", "tiles", "large", "vocabulary", "tokens", "columns", "image"),
    "reduction weights ignored": sizes.DIVISORS,
    "smoothing": ("sharp", "tenth"),
    "upstream": ("seeded", "ones", "zero-ended"),
    "layout": (*sizes.LAYOUTS, "upstream=transposed", "targets=transposed", "weight=sliced"),
    "logits": ("normal", "shifted"),
}
ALONG_AXES: dict[str, tuple[str, ...]] = {
    "shape": tuple(sizes.RANKS),
    "form": _FORMS,
    "dtype": _DTYPES,
    "reduction weights ignored": sizes.DIVISORS,
    "smoothing": ("sharp", "tenth"),
    "layout": sizes.LAYOUTS[:2],
}
IN_THREADS: dict[str, tuple[str, ...]] = {
    "form transform": tuple(f"{form} concurrent" for form in _FORMS),
    "shape": ("few", "wide", "tokens", "image"),
    "dtype": _DTYPES,
    "reduction weights ignored": sizes.DIVISORS,
    "smoothing": ("sharp", "tenth"),
}


def allowed(row: Mapping[str, str]) -> bool:
    """Whether the levels go together."""
    found = sizes.unfolded(row)
    form, dtype, shape = found.get("form"), found.get("dtype"), found.get("shape")
    if form == "softmax" and shape == "vocabulary" and dtype in ("bfloat16", "float16"):  # its products are lost there
        return False
    operand, _, memory = found.get("layout", "").partition("=")
    if memory == "transposed" and form in _BY_POSITION[operand] and shape in _OF_TWO_AXES:
        return False
    return sizes.allowed(found)


def named(prefix: str) -> Callable[[Mapping[str, str], int], dict[str, Any]]:
    """What makes the case of a row, whose id begins with ``prefix``."""

    def case_of(row: Mapping[str, str], seed: int) -> dict[str, Any]:
        case = sizes.case_of({**sizes.FIRST, **sizes.unfolded(row)}, seed)
        return case | {"id": prefix + case["id"].removeprefix("sized")}

    return case_of

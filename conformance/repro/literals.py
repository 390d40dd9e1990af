"""Tensors as source text: literals that read back to the very bits, short where the data are regular."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.model.errors import UsageError
from conformance.model.problem import Array
from conformance.numerics.formats import FORMATS, numpy_dtype, widen

__all__ = ["MOST_NUMBERS", "MOST_TEXT", "Literal", "Recipe", "array_text", "number_text", "numpy_text", "values_text"]

#: Gives the expression that generates an array, or None.
Recipe = Callable[[Array], str | None]
#: Elements that are written out as numbers.
MOST_NUMBERS = 96
#: Stretches of one value that are written out.
MOST_RUNS = 64
#: Characters of base64 that a script may hold.
MOST_TEXT = 150_000


@dataclass(frozen=True)
class Literal:
    """An expression, and the imports that it needs."""

    text: str
    imports: frozenset[str] = frozenset()


def array_text(array: Array, templates: Mapping[str, str]) -> Literal | None:
    """The framework's own literal by its adapter's templates; None where it must go through NumPy."""
    dtype = array.dtype.name
    fields = {"dtype": dtype, "shape": _shape(array.shape)}
    if array.size <= MOST_NUMBERS and "tensor" in templates and (array.size or array.ndim == 1):
        return Literal(templates["tensor"].format(values=values_text(array), **fields))
    if array.size and _is_constant(array) and "constant" in templates:
        return Literal(templates["constant"].format(value=number_text(array.flat[0], dtype), **fields))
    return None


def numpy_text(array: Array, recipe: Recipe | None = None) -> Literal:
    """The array as an expression of NumPy; raises ``UsageError`` where it is too large to be written.

    ``recipe`` may know how a large one is generated.
    """
    name = array.dtype.name
    imports = {"numpy"} | ({"ml_dtypes"} if name == "bfloat16" else set())
    dtype = "ml_dtypes.bfloat16" if name == "bfloat16" else f"np.{name}"
    shape = _shape(array.shape)
    if array.size == 0:
        return Literal(f"np.zeros({shape}, {dtype})", frozenset(imports))
    if array.size <= MOST_NUMBERS:
        return Literal(f"np.array({values_text(array)}, {dtype})", frozenset(imports))
    if _is_constant(array):
        return Literal(f"np.full({shape}, {number_text(array.flat[0], name)}, {dtype})", frozenset(imports))
    generated = _runs(array, dtype) or (None if recipe is None else recipe(array))
    if generated is not None:
        return Literal(generated, frozenset(imports))
    raw = np.ascontiguousarray(array).tobytes()
    packed = base64.b64encode(zlib.compress(raw, 9)).decode()
    if len(packed) > MOST_TEXT:
        raise UsageError(
            f"an input of {array.size} numbers takes {len(packed):,} characters, and a script holds {MOST_TEXT:,}",
            hint="name a smaller case that shows the same",
        )
    pieces = "\n".join(f'    "{packed[i : i + 100]}"' for i in range(0, len(packed), 100))
    text = f"np.frombuffer(bytearray(zlib.decompress(base64.b64decode(\n{pieces}\n))), {dtype}).reshape({shape})"
    return Literal(text, frozenset(imports | {"base64", "zlib"}))


def _runs(array: Array, dtype: str) -> str | None:
    """An array of few stretches of one value each, as these values and their lengths."""
    flat = np.ascontiguousarray(array).reshape(-1)
    bits = flat.view(f"u{flat.itemsize}") if flat.dtype.kind != "b" else flat
    starts = np.flatnonzero(np.concatenate(([True], bits[1:] != bits[:-1])))
    if len(starts) > MOST_RUNS:
        return None
    lengths = np.diff([*starts.tolist(), flat.size]).tolist()
    return f"np.repeat(np.array({values_text(flat[starts])}, {dtype}), {lengths}).reshape({_shape(array.shape)})"


def values_text(array: Array) -> str:
    """Nested lists of numbers that read back to the same bits in the array's dtype."""
    name = array.dtype.name
    if array.ndim == 0:
        return number_text(array[()], name)
    if array.ndim == 1:
        return "[" + ", ".join(number_text(each, name) for each in array) + "]"
    return "[" + ", ".join(values_text(each) for each in array) + "]"


def number_text(value: Any, dtype: str) -> str:
    """The shortest decimal text that reads back to ``value`` in ``dtype``."""
    if dtype not in FORMATS:
        return str(bool(value) if dtype == "bool" else int(value)) if np.dtype(dtype).kind in "biu" else repr(value)
    number = float(value)
    if not np.isfinite(number):
        return f'float("{number}")'
    if dtype != "float64":
        short = repr(float(str(np.float32(number))))
        with np.errstate(all="ignore"):
            if widen(np.asarray(float(short)).astype(numpy_dtype(dtype))) == number:
                return short
    return repr(number)


def _is_constant(array: Array) -> bool:
    first = np.ascontiguousarray(array).reshape(-1)[:1].tobytes()
    return np.ascontiguousarray(array).tobytes() == first * array.size


def _shape(shape: tuple[int, ...]) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"

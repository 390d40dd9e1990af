"""Arrays as source text that reads back to the very bits, in the memory layout that the suite handed to the backend."""

from __future__ import annotations

import base64
import textwrap
import zlib
from typing import Any

import numpy as np

from conformance.model.errors import UsageError
from conformance.model.problem import Array
from conformance.numerics.formats import FORMATS, numpy_dtype, widen

__all__ = ["MOST_NUMBERS", "is_constant", "layout_lines", "number_text", "numpy_text", "values_text", "wrapped"]

#: Elements that are written out as numbers.
MOST_NUMBERS = 96
#: Stretches of one value that are written out.
MOST_RUNS = 64
#: Characters of base64 that a script may hold.
MOST_TEXT = 150_000
WIDTH = 110


def numpy_text(array: Array, recipe: str | None = None) -> str:
    """The array as an expression of NumPy: its numbers, or ``recipe``, or its bytes where there is none.

    Raises ``UsageError`` where that is too large to be written.
    """
    name = array.dtype.name
    dtype = "ml_dtypes.bfloat16" if name == "bfloat16" else f"np.{name}"
    if array.size == 0:
        return f"np.zeros({array.shape}, {dtype})"
    if array.size <= MOST_NUMBERS:
        return f"np.array({values_text(array)}, {dtype})"
    if is_constant(array):
        return f"np.full({array.shape}, {number_text(array.flat[0], name)}, {dtype})"
    return _stretches(array, dtype) or recipe or _packed(array, dtype)


def _stretches(array: Array, dtype: str) -> str | None:
    """An array of few stretches of one value each, as these values and their lengths."""
    flat = np.ascontiguousarray(array).reshape(-1)
    bits = flat.view(f"u{flat.itemsize}") if flat.dtype.kind != "b" else flat
    starts = np.flatnonzero(np.concatenate(([True], bits[1:] != bits[:-1])))
    if len(starts) > MOST_RUNS:
        return None
    lengths = np.diff([*starts.tolist(), flat.size]).tolist()
    return f"np.repeat(np.array({values_text(flat[starts])}, {dtype}), {lengths}).reshape({array.shape})"


def _packed(array: Array, dtype: str) -> str:
    packed = base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()
    if len(packed) > MOST_TEXT:
        raise UsageError(
            f"an input of {array.size} numbers takes {len(packed):,} characters, and a script holds {MOST_TEXT:,}",
            hint="name a smaller case that shows the same",
        )
    pieces = "\n".join(f'    "{packed[i : i + 100]}"' for i in range(0, len(packed), 100))
    return f"np.frombuffer(bytearray(zlib.decompress(base64.b64decode(\n{pieces}\n))), {dtype}).reshape({array.shape})"


def values_text(array: Array) -> str:
    """Nested lists of numbers that read back to the same bits in the array's dtype."""
    if array.ndim == 0:
        return number_text(array[()], array.dtype.name)
    return f"[{', '.join(values_text(np.asarray(each)) for each in array)}]"


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


def is_constant(array: Array) -> bool:
    """Whether all elements are the same bits."""
    first = np.ascontiguousarray(array).reshape(-1)[:1].tobytes()
    return np.ascontiguousarray(array).tobytes() == first * array.size


def layout_lines(name: str, text: str, array: Array, layout: str) -> list[str]:
    """Lines that make ``name`` an array of NumPy with the values of ``text`` in a memory layout."""
    plain, lines = wrapped(f"{name} = {text}"), wrapped(f"values = {text}")
    if layout == "contiguous" or array.size == 0 or (array.ndim == 0 and layout != "misaligned"):
        return plain
    shape, size = array.shape, array.size
    if layout == "transposed":
        return [*lines, f'{name} = np.array(values, order="F")']
    if layout == "broadcast":
        if len({each.tobytes() for each in array}) > 1:
            return plain
        return [*lines, f"{name} = np.lib.stride_tricks.as_strided(values, strides=(0, *values.strides[1:]))"]
    memory, view = {
        "sliced": ((*shape[:-1], 2 * shape[-1]) if shape else (), "memory[..., 1::2]"),
        "reversed": (shape, "np.flip(memory)"),
        "misaligned": (size + 2, f"memory[1 : {1 + size}].reshape({shape})"),
    }[layout]
    garbage = "np.nan" if array.dtype.kind not in "iub" else "1" if array.dtype.kind == "b" else "99"
    lines += [f"memory = np.full({memory}, {garbage}, values.dtype)", f"{name} = {view}", f"{name}[...] = values"]
    return lines


def wrapped(line: str) -> list[str]:
    """A long line of literals, broken inside its brackets; what is not such a line as it is."""
    rest = line.replace('float("inf")', "").replace('float("-inf")', "").replace('float("nan")', "")
    if len(line) <= WIDTH or "\n" in line or "[" not in line or '"' in rest or "'" in rest:
        return line.splitlines()
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)

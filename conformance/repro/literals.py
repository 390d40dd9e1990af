"""Arrays as source text that reads back to the very bits, in the memory layout that the suite handed to the backend."""

from __future__ import annotations

import base64
import math
import re
import textwrap
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conformance.model.errors import UsageError
from conformance.model.problem import Array
from conformance.numerics.formats import FORMATS, numpy_dtype, widen
from conformance.worker.layouts import BEFORE, BEHIND, PADDING, filled_up, fits, geometry

__all__ = [
    "MOST_NUMBERS",
    "beside_lines",
    "is_constant",
    "layout_lines",
    "number_text",
    "numpy_text",
    "values_text",
    "within_line",
    "wrapped",
]

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
    if math.isnan(number):
        return 'float("nan")' if math.copysign(1, number) > 0 else 'float("-nan")'
    if math.isinf(number):
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


def layout_lines(name: str, text: str, array: Array, layout: str, tensor: Callable[[str], str]) -> list[str]:
    """Lines that make ``name`` a tensor with the values of ``text`` in a memory layout.

    ``tensor`` writes the tensor that shares the memory of the array of a name, or of an expression.
    """
    if not fits(layout, array):
        return wrapped(f"{name} = {tensor(text)}")
    lines = wrapped(f"values = {text}")
    if layout in _OF_VALUES:
        return [*lines, *(each.format(name=name) for each in _OF_VALUES[layout](array)), *_converted(name, tensor)]
    shape, view = _VIEWS[layout](array.shape)
    garbage = "np.nan" if array.dtype.kind not in "iub" else "1" if array.dtype.kind == "b" else "99"
    lines += [f"memory = np.full({shape}, {garbage}, values.dtype)"]
    if layout in _COPIED:
        return [*lines, f"{name} = {view}", f"{name}[...] = values", *_converted(name, tensor)]
    return [*lines, f"{view}[...] = values", *_converted("memory", tensor), f"{name} = {view}"]


def _converted(name: str, tensor: Callable[[str], str]) -> list[str]:
    return [f"{name} = {tensor(name)}"] if tensor(name) != name else []


def _rows_of(length: Callable[[int], int]) -> Callable[[tuple[int, ...]], tuple[object, str]]:
    return lambda shape: ((*shape[:-1], length(shape[-1])), f"memory[..., :{shape[-1]}]")


def _offset(shape: tuple[int, ...]) -> tuple[object, str]:
    number = BEFORE + BEHIND
    if not shape:
        return 1 + number, f"memory[{BEFORE}:-{BEHIND}].reshape(())"
    return (shape[0] + number, *shape[1:]), f"memory[{BEFORE}:-{BEHIND}]"


def _one_more(shape: tuple[int, ...], part: str) -> tuple[object, str]:
    axis = min(1, len(shape) - 1)
    return (*shape[:axis], shape[axis] + 1, *shape[axis + 1 :]), f"memory[{':, ' * axis}{part}]"


def _channels_last(shape: tuple[int, ...]) -> tuple[object, str]:
    swaps = "".join(f".swapaxes({axis - 1}, {axis})" for axis in range(len(shape) - 1, 1, -1))
    return (shape[0], *shape[2:], shape[1]), f"memory{swaps}"


def _channels_last_cut(shape: tuple[int, ...]) -> tuple[object, str]:
    whole, view = _channels_last((*shape[:2], shape[2] + 1, *shape[3:]))
    return whole, f"{view}[:, :, :-1]"


def _misaligned(shape: tuple[int, ...]) -> tuple[object, str]:
    size = math.prod(shape)
    return size + 2, f"memory[1 : {1 + size}].reshape({shape})"


#: The shape of the memory, and the view of it, in words that NumPy and PyTorch share.
_VIEWS: dict[str, Callable[[tuple[int, ...]], tuple[object, str]]] = {
    "sliced": lambda shape: ((*shape[:-1], 2 * shape[-1]), "memory[..., 1::2]"),
    "reversed": lambda shape: (shape, "np.flip(memory)"),
    "reversed-rows": lambda shape: (shape, "memory[::-1]"),
    "misaligned": _misaligned,
    "padded": _rows_of(lambda extent: extent + PADDING),
    "cut": lambda shape: _one_more(shape, ":-1"),
    "shifted": lambda shape: _one_more(shape, "1:"),
    "aligned-rows": _rows_of(filled_up),
    "alternate-rows": lambda shape: ((2 * shape[0], *shape[1:]), "memory[::2]"),
    "offset": _offset,
    "time-major": lambda shape: ((shape[1], shape[0], *shape[2:]), "memory.swapaxes(0, 1)"),
    "channels-last": _channels_last,
    "channels-last-cut": _channels_last_cut,
}


def _broadcast(array: Array) -> list[str]:
    return ["{name} = np.lib.stride_tricks.as_strided(values, strides=(0, *values.strides[1:]))"]


def _expanded(array: Array) -> list[str]:
    steps = geometry("expanded", array).strides
    first = ", ".join(":1" if step == 0 else ":" for step in steps)
    strides = tuple(step * array.itemsize for step in steps)
    return [
        f"memory = values[{first}].copy()",
        f"{{name}} = np.lib.stride_tricks.as_strided(memory, {array.shape}, {strides})",
    ]


def _overlapping(array: Array) -> list[str]:
    return [
        "memory = np.concatenate([values[..., 0, :], values[..., 1:, -1]], -1)",
        f"{{name}} = np.lib.stride_tricks.sliding_window_view(memory, {array.shape[-1]}, -1, writeable=True)",
    ]


def _far_apart(array: Array) -> list[str]:
    found = geometry("far-apart", array)
    offset, strides = found.offset * array.itemsize, tuple(step * array.itemsize for step in found.strides)
    return [
        "# Reserved, and hardly held: 0x4000 is MAP_NORESERVE of Linux.",
        f"memory = mmap.mmap(-1, {found.size * array.itemsize}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)",
        f"{{name}} = np.ndarray({array.shape}, values.dtype, memory, {offset}, {strides})",
        "{name}[...] = values",
    ]


def _read_only(array: Array) -> list[str]:
    """Memory that nobody can write to, as of a mapped file: where it is written to, the process ends."""
    if not array.size:
        return ["{name} = values.copy()", "{name}.flags.writeable = False"]
    return [
        "with tempfile.TemporaryFile() as file:",
        "    file.write(values.tobytes())",
        "    file.flush()",
        "    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)",
        f"{{name}} = np.ndarray({array.shape}, values.dtype, memory)",
    ]


#: Layouts that every framework is given, if only as a copy, so that the view is NumPy's own.
_COPIED = ("sliced", "reversed", "misaligned")
#: Lines that make the array from its values.
_OF_VALUES: dict[str, Callable[[Array], list[str]]] = {
    "transposed": lambda array: ['{name} = np.array(values, order="F")'],
    "broadcast": _broadcast,
    "expanded": _expanded,
    "overlapping": _overlapping,
    "far-apart": _far_apart,
    "read-only": _read_only,
    "byte-swapped": lambda array: ["{name} = values.astype(values.dtype.newbyteorder())"],
}


def beside_lines(texts: Mapping[str, str], arrays: Mapping[str, Array], tensor: Callable[[str], str]) -> list[str]:
    """Lines that make operands of one shape the parts of one memory, in which their rows follow each other."""
    lines = [line for name, text in texts.items() for line in wrapped(f"{name} = {text}")]
    lines += [f"memory = np.concatenate([{', '.join(texts)}], -1)", *_converted("memory", tensor)]
    extent = arrays["logits"].shape[-1]
    for number, name in enumerate(texts):
        lines.append(f"{name} = memory[..., {number * extent}:{(number + 1) * extent}]")
    return lines


def within_line(name: str, array: Array, logits: Array) -> str:
    """A line that makes ``name`` the logits' own memory: all of it, or one row."""
    rows = np.ndindex(logits.shape[: logits.ndim - array.ndim])
    row = next(row for row in rows if logits[row].tobytes() == array.tobytes())
    return f"{name} = logits[{', '.join(map(str, row)) or '...'}]"


def wrapped(line: str) -> list[str]:
    """A long line of literals, broken inside its brackets; what is not such a line as it is."""
    rest = re.sub(r'float\("-?(?:inf|nan)"\)', "", line)
    if len(line) <= WIDTH or "\n" in line or "[" not in line or '"' in rest or "'" in rest:
        return line.splitlines()
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)

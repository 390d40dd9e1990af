"""The same numbers in another place: views of an array that are strided, padded, reversed, expanded or misaligned.

Where a kernel takes a view's memory for contiguous, it reads what lies beside the numbers. There lies garbage (NaN
and the largest finite number in turn; extreme integers), so that it cannot go unnoticed, and enough of it that
such a kernel reads no memory that is not ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.model.layouts import FAR_APART, LAYOUTS
from conformance.numerics.formats import FORMATS
from conformance.worker.reserved import FAR, spread

__all__ = [
    "BEFORE",
    "BEHIND",
    "BOUNDARY",
    "PADDING",
    "Allocate",
    "Geometry",
    "arrange",
    "can_broadcast",
    "filled_up",
    "fits",
    "geometry",
    "owner",
    "surrounded",
]

Array = npt.NDArray[Any]
#: Memory of so many bytes.
Allocate = Callable[[int], Array]
BOUNDARY = 64  # bytes: a cache line, and the widest vector register
PADDING = 3  # elements between the rows that are padded
MULTIPLE = 16  # elements that rows are filled up to
BEFORE, BEHIND = 2, 1  # positions around those that are offset


class Geometry(NamedTuple):
    """A view of ``size`` elements of memory: where its first element lies, and its strides, counted in elements.

    ``dense`` memory holds nothing else.
    """

    size: int
    offset: int
    strides: tuple[int, ...]
    dense: bool = False


def arrange(array: Array, layout: str, allocate: Allocate | None = None) -> Array:
    """A view, in memory of its own, with the values, shape and dtype of ``array`` and one of ``LAYOUTS``.

    Its base is the whole memory, of rank 1. ``allocate`` gives memory, from a 64-byte boundary on. Arrays of a rank
    that has no other arrangement are contiguous. Raises ``ValueError`` where the numbers do not fit the layout, such
    as ``broadcast`` where the positions along axis 0 differ, and for an unknown layout; ``OSError`` where the process
    has too little address space for positions that are ``far-apart``, whose memory is never of ``allocate``.
    """
    found = geometry(layout, array)
    dtype = array.dtype
    if layout == FAR_APART and not found.dense:
        return spread(surrounded(array))[1]
    if layout == "byte-swapped":
        if dtype.name == "bfloat16":
            raise ValueError("bfloat16 has one byte order in NumPy")
        dtype = dtype.newbyteorder()
    memory = (allocate or _fresh)(found.size * dtype.itemsize).view(dtype)
    if not found.dense:
        memory[0::2], memory[1::2] = _extremes(array.dtype)
    view = view_of(memory, array.shape, found)
    view[...] = array
    if layout == "overlapping" and view.tobytes() != np.ascontiguousarray(array).tobytes():
        raise ValueError("layout overlapping needs rows that each begin with the second element of the one before")
    view.flags.writeable = layout != "read-only"
    return view


def surrounded(array: Array) -> Array:
    """A copy with one more position before the first, and one behind the last, of garbage.

    Where positions are far apart, a kernel lands there whose offset has become negative.
    """
    around = np.empty((len(array) + 2, *array.shape[1:]), array.dtype)
    around[0], around[-1] = _extremes(array.dtype)
    around[1:-1] = array
    return around


def view_of(memory: Array, shape: tuple[int, ...], found: Geometry) -> Array:
    """The view of memory of rank 1."""
    strides = tuple(step * memory.itemsize for step in found.strides)
    if not math.prod(shape):
        return memory[:0].reshape(shape)
    return np.ndarray(shape, memory.dtype, memory, found.offset * memory.itemsize, strides)


def geometry(layout: str, array: Array) -> Geometry:
    """Where the elements of an operand of that shape lie, and with those numbers: some positions may be the same.

    Raises ``ValueError`` as :func:`arrange`.
    """
    if layout not in _GEOMETRIES:
        raise ValueError(f"unknown layout {layout!r}: write one of {', '.join(LAYOUTS)}")
    if not array.size or not (array.ndim or layout in _OF_RANK_0):
        return _contiguous(array)
    return _GEOMETRIES[layout](array)


def fits(layout: str, array: Array) -> bool:
    """Whether the numbers, and the shape, can lie in this layout, and it is another than contiguous."""
    try:
        found = geometry(layout, array)
        if layout == "overlapping":
            arrange(array, layout)
    except ValueError:
        return False
    return not found.dense or layout in ("read-only", "byte-swapped") or found.strides != _c(array.shape)


def can_broadcast(array: Array) -> bool:
    """Whether all positions along axis 0 hold the same bits."""
    return array.ndim == 0 or _same_along(array, 0)


def owner(view: Array) -> Array:
    """The array that owns the memory of ``view``, garbage included."""
    while isinstance(view.base, np.ndarray):
        view = view.base
    return view


# -- the layouts ------------------------------------------------------------------------------------------------------


def _c(extents: Sequence[int]) -> tuple[int, ...]:
    """The strides of C order."""
    strides, step = [], 1
    for extent in reversed(extents):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


def _contiguous(array: Array) -> Geometry:
    return Geometry(array.size, 0, _c(array.shape), dense=True)


def _permuted(array: Array, order: Sequence[int]) -> Geometry:
    """``order`` lists the axes as they lie in memory, the outermost first."""
    strides = dict(zip(order, _c([array.shape[axis] for axis in order]), strict=True))
    return Geometry(array.size, 0, tuple(strides[axis] for axis in range(array.ndim)), dense=True)


def _transposed(array: Array) -> Geometry:
    return _permuted(array, range(array.ndim)[::-1])


def _time_major(array: Array) -> Geometry:
    order = list(range(array.ndim))
    return _permuted(array, [*order[1::-1], *order[2:]])


def _channels_last(array: Array) -> Geometry:
    order = list(range(array.ndim))
    return _permuted(array, [*order[:1], *order[2:], *order[1:2]])


def _channels_last_cut(array: Array) -> Geometry:
    if array.ndim < 3:
        return _contiguous(array)
    whole = np.broadcast_to(array[:, :, :1], (*array.shape[:2], array.shape[2] + 1, *array.shape[3:]))
    return _channels_last(whole)._replace(dense=False)


def _in_rows_of(array: Array, length: int) -> Geometry:
    """Dense rows, each at the beginning of one of that length."""
    rows = (*array.shape[:-1], length)
    return Geometry(math.prod(rows), 0, _c(rows))


def _padded(array: Array) -> Geometry:
    return _in_rows_of(array, array.shape[-1] + PADDING)


def _cut(array: Array) -> Geometry:
    axis = min(1, array.ndim - 1)
    whole = (*array.shape[:axis], array.shape[axis] + 1, *array.shape[axis + 1 :])
    return Geometry(math.prod(whole), 0, _c(whole))


def _shifted(array: Array) -> Geometry:
    whole = _cut(array)
    return whole._replace(offset=whole.strides[min(1, array.ndim - 1)])


def _aligned_rows(array: Array) -> Geometry:
    return _in_rows_of(array, filled_up(array.shape[-1]))


def filled_up(extent: int) -> int:
    """The next multiple of ``MULTIPLE`` above an extent."""
    return (extent // MULTIPLE + 1) * MULTIPLE


def _alternate_rows(array: Array) -> Geometry:
    strides = _c(array.shape)
    return Geometry(2 * array.size, 0, (2 * strides[0], *strides[1:]))


def _offset(array: Array) -> Geometry:
    row = math.prod(array.shape[1:])
    return Geometry(array.size + (BEFORE + BEHIND) * row, BEFORE * row, _c(array.shape))


def _overlapping(array: Array) -> Geometry:
    if array.ndim < 2:
        return _contiguous(array)
    *outer, rows, extent = array.shape
    line = rows + extent - 1
    strides = (*(step * line for step in _c(outer)), 1, 1)
    # As many elements as a contiguous array has, so that who takes it for one stays within.
    return Geometry(max(array.size, math.prod(outer) * line), 0, strides)


def _expanded(array: Array) -> Geometry:
    same = [extent > 1 and _same_along(array, axis) for axis, extent in enumerate(array.shape)]
    if array.size > 1 and not any(same):
        raise ValueError("layout expanded needs an axis whose positions are all the same")
    strides = _c([1 if alike else extent for alike, extent in zip(same, array.shape, strict=True)])
    return Geometry(
        array.size, 0, tuple(0 if alike else step for alike, step in zip(same, strides, strict=True)), not any(same)
    )


def _far_apart(array: Array) -> Geometry:
    if len(array) < 2:
        return _contiguous(array)
    strides = _c(array.shape)
    if strides[0] > FAR:
        raise ValueError(f"layout far-apart needs positions of at most {FAR} elements")
    return Geometry((len(array) + 2) * FAR, FAR, (FAR, *strides[1:]))


def _sliced(array: Array) -> Geometry:
    return Geometry(2 * array.size, 1, tuple(2 * step for step in _c(array.shape)))


def _reversed(array: Array) -> Geometry:
    return Geometry(2 * array.size, array.size - 1, tuple(-step for step in _c(array.shape)))


def _reversed_rows(array: Array) -> Geometry:
    if len(array) < 2:
        return _contiguous(array)
    row, *rest = _c(array.shape)
    return Geometry(2 * array.size, (len(array) - 1) * row, (-row, *rest))


def _broadcast(array: Array) -> Geometry:
    if not can_broadcast(array):
        raise ValueError("layout broadcast needs logits that are equal at all positions along axis 0")
    return Geometry(array.size, 0, (0, *_c(array.shape)[1:]))


def _misaligned(array: Array) -> Geometry:
    return Geometry(array.size + 2, 1, _c(array.shape))


_GEOMETRIES: dict[str, Callable[[Array], Geometry]] = {
    "contiguous": _contiguous,
    "transposed": _transposed,
    "sliced": _sliced,
    "reversed": _reversed,
    "reversed-rows": _reversed_rows,
    "broadcast": _broadcast,
    "misaligned": _misaligned,
    "padded": _padded,
    "cut": _cut,
    "shifted": _shifted,
    "aligned-rows": _aligned_rows,
    "alternate-rows": _alternate_rows,
    "offset": _offset,
    "time-major": _time_major,
    "channels-last": _channels_last,
    "channels-last-cut": _channels_last_cut,
    "overlapping": _overlapping,
    "expanded": _expanded,
    "read-only": _contiguous,
    "byte-swapped": _contiguous,
    FAR_APART: _far_apart,
}


#: A single number has an address, and no axes.
_OF_RANK_0 = ("misaligned", "offset", "read-only", "byte-swapped")


def _same_along(array: Array, axis: int) -> bool:
    """Whether all positions along an axis hold the same bits."""
    if array.shape[axis] < 2:
        return True
    moved = np.ascontiguousarray(np.moveaxis(array, axis, 0))
    return moved.tobytes() == moved[0].tobytes() * len(moved)


def _fresh(size: int) -> Array:
    """``size`` bytes of new memory from a 64-byte boundary on."""
    raw = np.empty(size + BOUNDARY, np.uint8)
    start = -raw.__array_interface__["data"][0] % BOUNDARY
    return raw[start : start + size]


def _extremes(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Two values that no result survives."""
    if dtype.name in FORMATS:
        return np.nan, FORMATS[dtype.name].largest
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return limits.max, limits.min
    if dtype.kind in "fc":
        return np.nan, np.finfo(dtype).max
    return True, True

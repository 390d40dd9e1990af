"""The same numbers in another place: strided, reversed, broadcast and misaligned views of an array.

Where a kernel takes a view's memory for contiguous, it reads what lies beside the numbers. There lies garbage (NaN
and the largest finite number in turn; extreme integers), so that it cannot go unnoticed, and enough of it that
such a kernel reads no memory that is not ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from conformance.model.case import Layout
from conformance.numerics.formats import FORMATS

__all__ = ["BOUNDARY", "Allocate", "arrange", "can_broadcast", "owner"]

Array = npt.NDArray[Any]
#: Memory of so many bytes.
Allocate = Callable[[int], Array]
BOUNDARY = 64  # bytes: a cache line, and the widest vector register


def arrange(array: Array, layout: Layout | str, allocate: Allocate | None = None) -> Array:
    """A writable view, in memory of its own, with the values, shape and dtype of ``array`` and the ``layout``.

    - ``contiguous``: C order;
    - ``transposed``: the axes in Fortran order;
    - ``sliced``: every second element of a larger buffer along the last axis, from the second on;
    - ``reversed``: a negative stride along every axis;
    - ``broadcast``: stride 0 along axis 0;
    - ``misaligned``: contiguous, one element past a 64-byte boundary.

    ``allocate`` gives memory, from a 64-byte boundary on. Arrays of rank 0 (and transposed ones of rank 1) have no
    other arrangement, except misaligned. Raises ``ValueError`` for ``broadcast`` where the positions along axis 0
    differ, and for an unknown layout.
    """
    make = allocate or _fresh
    if layout in ("contiguous", "transposed"):
        return _filled(array, "F" if layout == "transposed" else "C", make)
    if layout not in _ARRANGEMENTS:
        raise ValueError(f"unknown layout {layout!r}: write one of contiguous, transposed, {', '.join(_ARRANGEMENTS)}")
    return _ARRANGEMENTS[layout](array, make)


def can_broadcast(array: Array) -> bool:
    """Whether all positions along axis 0 hold the same bits."""
    if array.ndim == 0 or len(array) < 2:
        return True
    first = np.ascontiguousarray(array[:1]).tobytes()
    return np.ascontiguousarray(array).tobytes() == first * len(array)


def owner(view: Array) -> Array:
    """The array that owns the memory of ``view``, garbage included."""
    while isinstance(view.base, np.ndarray):
        view = view.base
    return view


def _filled(array: Array, order: Literal["C", "F"], allocate: Allocate) -> Array:
    view: Array = np.ndarray(array.shape, array.dtype, allocate(array.nbytes), order=order)
    view[...] = array
    return view


def _sliced(array: Array, allocate: Allocate) -> Array:
    if array.ndim == 0:
        return _filled(array, "C", allocate)
    buffer = _garbage(2 * array.size, array.dtype, allocate).reshape(*array.shape[:-1], 2 * array.shape[-1])
    view = buffer[..., 1::2]
    view[...] = array
    return view


def _reversed(array: Array, allocate: Allocate) -> Array:
    if array.ndim == 0:
        return _filled(array, "C", allocate)
    buffer = _garbage(2 * array.size, array.dtype, allocate)
    view = np.flip(buffer[: array.size].reshape(array.shape))
    view[...] = array
    return view


def _broadcast(array: Array, allocate: Allocate) -> Array:
    if not can_broadcast(array):
        raise ValueError("layout broadcast needs logits that are equal at all positions along axis 0")
    if array.ndim == 0 or array.size == 0:
        return _filled(array, "C", allocate)
    buffer = _garbage(array.size, array.dtype, allocate)
    row = buffer[: array[0].size].reshape(array.shape[1:])
    row[...] = array[0]
    strides = (0, *row.strides)
    return np.ndarray(array.shape, array.dtype, buffer.view(np.uint8), strides=strides)


def _misaligned(array: Array, allocate: Allocate) -> Array:
    buffer = _garbage(array.size + 2, array.dtype, allocate)
    view = buffer[1 : 1 + array.size].reshape(array.shape)
    view[...] = array
    return view


_ARRANGEMENTS = {"sliced": _sliced, "reversed": _reversed, "broadcast": _broadcast, "misaligned": _misaligned}


def _fresh(size: int) -> Array:
    """``size`` bytes of new memory from a 64-byte boundary on."""
    raw = np.empty(size + BOUNDARY, np.uint8)
    start = -raw.__array_interface__["data"][0] % BOUNDARY
    return raw[start : start + size]


def _garbage(count: int, dtype: np.dtype[Any], allocate: Allocate) -> Array:
    """``count`` elements that spoil every sum and every maximum."""
    buffer = allocate(count * dtype.itemsize).view(dtype)
    buffer[0::2], buffer[1::2] = _extremes(dtype)
    return buffer


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

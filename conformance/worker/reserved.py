"""Positions that lie far apart in memory that is reserved, and hardly held: all between them is zeros."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.worker.held import hold_builtins, math, mmap
from conformance.worker.wire import spread_extent

__all__ = ["FAR", "among_zeros", "spread"]

hold_builtins(globals())

Array = npt.NDArray[Any]
FAR = 2**31  # elements from one position to the next: the first offset that int32 does not hold
#: Pages count against no limit of the system before they are written to; Python 3.11 has no name for it.
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0


def spread(numbers: Array) -> tuple[Array, Array]:
    """The positions along axis 0 of a contiguous array, far apart, and a view of all but the first and the last.

    All else in that memory is zeros. The base of both is the whole memory, of rank 1. Raises ``OSError`` where the
    process has too little address space.
    """
    memory = _reserved(len(numbers) * FAR, numbers.dtype)
    size = numbers.itemsize
    strides, inner = (FAR * size, *numbers.strides[1:]), numbers.shape[1:]
    around: Array = np.ndarray(numbers.shape, numbers.dtype, memory, 0, strides)
    around[...] = numbers
    return around, np.ndarray((len(numbers) - 2, *inner), numbers.dtype, memory, FAR * size, strides)


def among_zeros(numbers: Array, spacing: int) -> tuple[Array, Array]:
    """The positions along axis 0 of a contiguous array, so far apart, and the whole that they lie in, in C order.

    The first and the last of the whole are theirs. Raises ``OSError`` as :func:`spread`.
    """
    extents = (spread_extent(len(numbers), spacing), *numbers.shape[1:])
    whole = _reserved(math.prod(extents), numbers.dtype).reshape(extents)
    whole[::spacing] = numbers
    return whole[::spacing], whole


def _reserved(size: int, dtype: np.dtype[Any]) -> Array:
    """Memory for so many elements, of rank 1: zeros, of which the system holds what is written to."""
    try:
        pages = mmap.mmap(-1, size * dtype.itemsize, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    except (OverflowError, ValueError) as error:
        raise OSError(str(error)) from error
    return np.ndarray((size,), dtype, pages)

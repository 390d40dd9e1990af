"""Results that a caller still holds: a later call must not write to them.

A kernel that returns its own buffer, or a graph that is replayed into the memory of its last replay, gives right
results to whoever copies each at once, and wrong ones to everybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Held"]

Array = npt.NDArray[Any]
#: Elements of a result that is held, and how many are: the harness's own memory stays small.
LARGEST = 4096
MOST = 64


class Held:
    """The latest result of each kind, as the backend returned it, with the bytes that it held then.

    ``read`` makes an array of a backend's tensor.
    """

    def __init__(self, read: Callable[[Any], Array]) -> None:
        self._read = read
        self._results: dict[Hashable, tuple[Any, bytes]] = {}

    def replaced(self, kind: Hashable, result: Any, array: Array) -> bool:
        """Hold ``result``, whose numbers are ``array``; whether the one held before has changed since."""
        if array.size > LARGEST:
            return False
        key = (kind, array.shape, array.dtype)
        earlier = self._results.pop(key, None)
        changed = earlier is not None and self._has_changed(*earlier)
        if len(self._results) >= MOST:
            del self._results[next(iter(self._results))]
        self._results[key] = (result, array.tobytes())
        return changed

    def _has_changed(self, result: Any, then: bytes) -> bool:
        try:
            return np.asarray(self._read(result)).tobytes() != then
        except Exception:  # memory that was given away
            return True

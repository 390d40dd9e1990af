"""The results of the last calls as they were given, to be compared with what is there after later calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conformance.worker import wire
from conformance.worker.outputs import KEPT, LARGEST_KEPT, LARGEST_WHOLE, READINGS_OF_LARGE, SMALL, stride_of
from conformance.worker.reply import intact

__all__ = ["SPAN", "EarlierResults", "to_read"]

SPAN = 2  # batches after which results are no longer read again

#: The results of a call that are kept, by name.
_Results = dict[str, wire.Result]


@dataclass(eq=False)
class _Kept:
    """The results of a call of a ``batch``: as given, or as last read, so many ``times``.

    ``sizes`` are in elements, of results that have more bytes than a small one may have elements.
    """

    read: _Results
    sizes: dict[str, int]
    batch: int
    times: int = 0

    @classmethod
    def of(cls, results: _Results, batch: int) -> _Kept:
        """What is kept of them: all of small ones, some elements of large ones."""
        sizes = {name: math.prod(each.shape) for name, each in results.items() if len(each.data) > SMALL}
        if not sizes:
            return cls(results, sizes, batch)
        kept = {
            name: _some(each, sizes[name]) if sizes.get(name, 0) > LARGEST_WHOLE else each
            for name, each in results.items()
            if sizes.get(name, 0) <= LARGEST_KEPT
        }
        return cls(kept, sizes, batch)

    def forget(self, above: int) -> None:
        if self.sizes:
            self.read = {name: each for name, each in self.read.items() if self.sizes.get(name, 0) <= above}


def _some(result: wire.Result, size: int) -> wire.Result:
    """Those elements of a large result that are read again."""
    numbers = np.frombuffer(result.data, f"V{len(result.data) // size}")[:: stride_of(size)]
    return wire.Result(result.dtype, numbers.shape, numbers.tobytes())


def to_read(made: Sequence[int], *, read_all: bool) -> tuple[int, ...]:
    """Of the calls that were made, the last one last: those whose results are read again behind the next one.

    That is the one whose results are not kept any longer then; or ``read_all``, all whose results are kept.
    """
    return tuple(made[-KEPT:] if read_all else made[-KEPT : 1 - KEPT])


class EarlierResults:
    """The results of the last calls of one process, by their nonces."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}
        self._batches = 0

    def begin_batch(self) -> list[int]:
        """The calls of the last batches whose results may be read again in this one, the oldest first."""
        self._batches += 1
        return [nonce for nonce, each in self._kept.items() if each.batch >= self._batches - SPAN]

    def add(self, nonce: int, results: _Results) -> None:
        """Keep what a call has given."""
        self._kept[nonce] = _Kept.of(results, self._batches)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def overwritten(self, nonce: int, now: _Results) -> bool:
        """Whether the results of an earlier call, as they are read ``now``, are no longer what they were."""
        kept = self._kept.get(nonce)
        if kept is None:
            return False
        # The first time it may be what was written to it, where memory is shared.
        changed = now != kept.read and (kept.times > 0 or not intact(now, kept.read))
        kept.read = now
        kept.times += 1
        if kept.times == READINGS_OF_LARGE:
            kept.forget(LARGEST_WHOLE)
        return changed

    def forget(self, above: int) -> None:
        """Do not read results of more than so many elements again."""
        for each in self._kept.values():
            each.forget(above)

    def clear(self) -> None:
        """Forget all: no process has them any more."""
        self._kept = {}

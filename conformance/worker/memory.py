"""The memory in which the operands of calls lie: the driver's own, so that it sees by itself what was changed there."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.worker import wire
from conformance.worker.exchange import Array, Request
from conformance.worker.layouts import BOUNDARY, arrange, can_broadcast

__all__ = ["Placed", "Region", "place", "room_for"]

APART = 64  # bytes between two operands: what is written past the end of one is not yet the next


class Region:
    """Memory that grows when a batch needs more of it. ``descriptor`` is what another process maps it by."""

    def __init__(self, *, shared: bool) -> None:
        self.descriptor = _descriptor() if shared else -1
        self._used = 0
        self._map(1 << 20)

    def begin(self, size: int) -> None:
        """Start anew, with room for ``size`` bytes."""
        self._used = 0
        if size > len(self.memory):
            self._map(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE)

    def allocate(self, size: int) -> Array:
        """``size`` bytes from a boundary on."""
        start = self.reserve(size)
        return self._bytes[start : start + size]

    def reserve(self, size: int) -> int:
        """The offset of ``size`` bytes from a boundary on."""
        start = -(-self._used // BOUNDARY) * BOUNDARY
        self._used = start + size + APART
        return start

    @property
    def used(self) -> int:
        """Bytes up to the end of the last operand, and what keeps it apart from the next."""
        return self._used

    def offset(self, view: Array) -> int:
        """Where the first element of a view lies."""
        return int(view.__array_interface__["data"][0]) - self._start

    def close(self) -> None:
        """Give the memory back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _map(self, size: int) -> None:
        # Who has the descriptor, too, may have made it longer; shorter it cannot be made.
        if self.descriptor >= 0 and os.fstat(self.descriptor).st_size < size:
            os.ftruncate(self.descriptor, size)
        # An older map stays as long as an array refers to it.
        self.memory = mmap.mmap(self.descriptor, size)
        self._bytes: Array = np.frombuffer(self.memory, np.uint8)
        self._start = int(self._bytes.__array_interface__["data"][0])


def _descriptor() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("conformance", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        # Were it made shorter by the process that shares it, this one would die of SIGBUS when it looks there.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
        return descriptor
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@dataclass(frozen=True)
class Placed:
    """A call whose operands lie in a region: from where to where each of them does, gaps included."""

    call: wire.CallOrder
    spans: dict[str, tuple[int, int]]
    plain: dict[str, bytes]


def room_for(request: Request) -> int:
    """Bytes that a request's operands take at most, in any layout."""
    total = 0
    given = (request.logits, request.upstream, request.tangent, *request.operands.values())
    for each in given:
        if isinstance(each, np.ndarray):
            total += 2 * each.nbytes + 2 * each.itemsize + BOUNDARY + APART
    return total


def place(region: Region, request: Request, nonce: int, earlier: tuple[int, ...]) -> Placed:
    """Lay out a request's operands. Raises ``ValueError`` where they do not fit the layout."""
    spans: dict[str, tuple[int, int]] = {}
    plain: dict[str, bytes] = {}
    allocate = region.allocate

    def put(name: str, item: Any) -> Any:
        if not isinstance(item, np.ndarray):
            packed = plain[name] = wire.pack(item)
            return wire.Plain(packed)
        layout = request.layout
        if layout == "broadcast" and name != "logits" and not can_broadcast(item):
            layout = "contiguous"
        if layout == "contiguous":
            size = item.nbytes
            start = region.reserve(size)
            region.memory[start : start + size] = item.tobytes()
            spans[name] = (start, start + size)
            strides = item.strides if item.flags.c_contiguous else _c_strides(item)
            return wire.Operand(start, item.shape, strides, item.dtype.type.__name__)
        begin = -(-region.used // BOUNDARY) * BOUNDARY
        view = arrange(item, layout, allocate)
        spans[name] = (begin, region.used - APART)
        return wire.Operand(region.offset(view), view.shape, view.strides, view.dtype.type.__name__)

    call = wire.CallOrder(
        nonce,
        request.operation,
        put("logits", request.logits),
        {name: put(name, item) for name, item in request.operands.items()},
        request.options,
        None if request.upstream is None else put("upstream", request.upstream),
        None if request.tangent is None else put("tangent", request.tangent),
        request.transform,
        earlier,
    )
    return Placed(call, spans, plain)


def _c_strides(array: Array) -> tuple[int, ...]:
    strides, step = [], array.itemsize
    for extent in reversed(array.shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))

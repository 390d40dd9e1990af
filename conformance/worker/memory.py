"""The memory in which the operands of calls lie: the driver's own, so that it sees by itself what was changed there."""

from __future__ import annotations

import contextlib
import fcntl
import math
import mmap
import os
import tempfile
from typing import Any

import msgspec
import numpy as np

from conformance.model.layouts import BETWEEN, FAR_APART, is_exact, layout_of
from conformance.worker import wire
from conformance.worker.exchange import Array, Request
from conformance.worker.layouts import BOUNDARY, arrange, fits, geometry, surrounded

__all__ = ["Placed", "Region", "place", "room_for"]

APART = 64  # bytes between two operands: what is written past the end of one is not yet the next


class Region:
    """Memory that grows when a batch needs more of it. ``descriptor`` is what another process maps it by.

    At its end that process says how many calls of the batch it has begun.
    """

    def __init__(self, *, shared: bool) -> None:
        self.descriptor = _descriptor() if shared else -1
        self._used = 0
        self._map(1 << 20)

    def begin(self, size: int) -> None:
        """Start anew, with room for ``size`` bytes."""
        self._used = 0
        size += wire.BEGUN.size
        if size > len(self.memory):
            self._map(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        wire.BEGUN.pack_into(self.memory, len(self.memory) - wire.BEGUN.size, 0)

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
    def begun(self) -> int:
        """How many calls have been begun, as far as the process is to be believed, which may write what it likes."""
        return int(wire.BEGUN.unpack_from(self.memory, len(self.memory) - wire.BEGUN.size)[0])

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


class Placed(msgspec.Struct, frozen=True):
    """A call whose operands lie in a region: from where to where each of them does, gaps included."""

    call: wire.CallOrder
    spans: dict[str, tuple[int, int]]
    plain: dict[str, bytes]


def room_for(request: Request) -> int:
    """Bytes that a request's operands take at most, in its layout."""
    if request.layout == "contiguous":
        given = (
            request.logits, *request.operands.values(), request.upstream, request.tangent, request.other_logits
        )  # fmt: skip
        sizes = [each.nbytes for each in given if isinstance(each, np.ndarray)]
        return sum(sizes) + len(sizes) * (BOUNDARY + APART)
    return sum(_most(each, layout_of(request.layout, name)) for name, each in _arrays(request))


def _most(array: Array, layout: str) -> int:
    count = array.size
    if layout == FAR_APART and array.ndim:
        count += 2 * math.prod(array.shape[1:])
    elif layout not in ("contiguous", FAR_APART, *BETWEEN):
        # One that does not fit is contiguous, or refused when it is placed.
        with contextlib.suppress(ValueError):
            count = max(count, geometry(layout, array).size)
    return count * array.itemsize + BOUNDARY + APART


def _arrays(request: Request) -> list[tuple[str, Array]]:
    found = [("logits", request.logits), *request.operands.items()]
    found += [("upstream", request.upstream), ("tangent", request.tangent), ("other_logits", request.other_logits)]
    return [(name, each) for name, each in found if isinstance(each, np.ndarray)]


def place(region: Region, request: Request, nonce: int, earlier: tuple[int, ...]) -> Placed:
    """Lay out a request's operands. Raises ``ValueError`` where they do not fit the layout."""
    spans: dict[str, tuple[int, int]] = {}
    plain: dict[str, bytes] = {}
    placed = _beside_each_other(region, request, spans) if "beside-logits" in request.layout else {}
    contiguous = request.layout == "contiguous"

    def put(name: str, item: Any) -> Any:
        if not isinstance(item, np.ndarray):
            packed = plain[name] = wire.pack(item)
            return wire.Plain(packed)
        if contiguous:
            return _dense(region, name, item, spans)
        if name not in placed:
            placed[name] = _placed(region, request, name, item, spans, placed.get("logits"))
        return placed[name]

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
        request.spacing,
        None if request.other_logits is None else put("other_logits", request.other_logits),
    )
    return Placed(call, spans, plain)


def _placed(
    region: Region,
    request: Request,
    name: str,
    item: Array,
    spans: dict[str, tuple[int, int]],
    logits: wire.Operand | None,
) -> wire.Operand:
    layout = layout_of(request.layout, name)
    # An upstream gradient has another shape in each reduction, and others need not be alike where the logits are.
    if logits is not None and layout not in ("contiguous", "within-logits") and not fits(layout, item):
        layout = "contiguous"
    if layout == "contiguous":
        return _dense(region, name, item, spans)
    if layout == "within-logits":
        assert logits is not None
        begin, end = spans[name] = spans["logits"]
        return msgspec.structs.replace(_within(request.logits, item, logits), memory=(begin, end - begin))
    if layout == FAR_APART:  # the memory is of whoever makes the call: it is far more than is held
        strides = tuple(step * item.itemsize for step in geometry(layout, item).strides)
        dense = _dense(region, name, surrounded(item), spans)
        return msgspec.structs.replace(dense, shape=item.shape, strides=strides, exact=True, far_apart=True)
    begin = -(-region.used // BOUNDARY) * BOUNDARY
    view = arrange(item, layout, region.allocate)
    end = region.used - APART
    spans[name] = (begin, end)
    dtype = view.dtype.type.__name__ if view.dtype.isnative else view.dtype.str
    return wire.Operand(
        region.offset(view),
        view.shape,
        view.strides,
        dtype,
        (begin, end - begin),
        is_exact(request.layout, name),
        layout == "read-only",
    )


def _dense(region: Region, name: str, item: Array, spans: dict[str, tuple[int, int]]) -> wire.Operand:
    """An operand in C order."""
    data = item.tobytes()
    start = region.reserve(len(data))
    end = start + len(data)
    region.memory[start:end] = data
    spans[name] = (start, end)
    strides = item.strides if item.flags.c_contiguous else _c_strides(item)
    return wire.Operand(start, item.shape, strides, item.dtype.type.__name__)


def _within(logits: Array, item: Array, place: wire.Operand) -> wire.Operand:
    """An operand that is the logits, or one of their rows, where these lie."""
    outer = logits.ndim - item.ndim
    if outer >= 0 and item.dtype == logits.dtype and item.shape == logits.shape[outer:]:
        wanted = item.tobytes()
        for index in np.ndindex(logits.shape[:outer]):
            if logits[index].tobytes() == wanted:
                offset = place.offset + sum(i * step for i, step in zip(index, place.strides[:outer], strict=True))
                return msgspec.structs.replace(
                    place, offset=offset, shape=item.shape, strides=place.strides[outer:], exact=True
                )
    raise ValueError("layout within-logits needs an operand that is the logits, or one of their rows")


def _beside_each_other(region: Region, request: Request, spans: dict[str, tuple[int, int]]) -> dict[str, wire.Operand]:
    """The logits, and behind each of their rows one of every operand of their shape that is to lie beside them."""
    logits = request.logits
    arrays = {
        name: each
        for name, each in _arrays(request)
        if layout_of(request.layout, name) == "beside-logits"
        and (each.shape, each.dtype) == (logits.shape, logits.dtype)
    }
    if not arrays or not logits.ndim or not logits.size:
        return {}
    whole = np.concatenate([logits, *arrays.values()], axis=-1)
    start = region.reserve(whole.nbytes)
    region.memory[start : start + whole.nbytes] = whole.tobytes()
    found = {}
    for number, name in enumerate(("logits", *arrays)):
        spans[name] = (start, start + whole.nbytes)
        offset = start + number * logits.shape[-1] * whole.itemsize
        found[name] = wire.Operand(
            offset, logits.shape, whole.strides, whole.dtype.type.__name__, (start, whole.nbytes), exact=True
        )
    return found


def _c_strides(array: Array) -> tuple[int, ...]:
    strides, step = [], array.itemsize
    for extent in reversed(array.shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))

"""What crosses the border between the engine and a backend's process: value objects, and their packing.

Requests and observations are small and many. Pickling an array costs about as much as a small kernel, so a batch
travels as one buffer that holds the bytes of every array, and one plain pickle that says where each lies.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = [
    "Array",
    "Description",
    "Failure",
    "FailureKind",
    "Observation",
    "Request",
    "Source",
    "pack_observations",
    "pack_requests",
    "request_bytes",
    "unpack_observations",
    "unpack_requests",
]

Array = npt.NDArray[np.generic]
FailureKind = Literal["raised", "unsupported", "adapter", "crash", "timeout", "not run"]


class Request(msgspec.Struct, frozen=True, eq=False):
    """One call to make.

    ``key`` names the request within a run, and its observation. ``logits`` has the shape and dtype that the
    framework is to receive (log-probabilities for nll_loss). ``operands`` holds ``targets`` and ``weight`` as far as
    the case states them: an array, or any picklable Python object that is handed over as it is. ``options``
    are ``axis``, ``ignore_index``, ``label_smoothing`` and ``reduction`` as far as the operation takes them.
    ``transform`` names one of ``TRANSFORMS`` to perform in place of the plain call; ``tangent``, of the logits' shape,
    is its direction. For ``vectorised-map`` the options are those of one example, and the arrays have a leading axis of
    examples. ``upstream``, of the value's shape, asks for the gradient; ``repeat`` asks for a second call, compared
    bit by bit. With ``only_value`` the gradient is not wanted, and ``upstream`` merely lets a compiling backend use
    the function that it has compiled already.
    """

    key: int
    operation: str
    logits: Array
    operands: dict[str, Array | Any]
    options: tuple[tuple[str, Any], ...]
    layout: str = "contiguous"
    upstream: Array | None = None
    repeat: bool = False
    only_value: bool = False
    transform: str = ""
    tangent: Array | None = None


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    ``raised``: the framework refused by an exception of ``type``; ``unsupported``: it lacks the feature;
    ``adapter``: the adapter or the harness is at fault; ``crash`` and ``timeout``: the process died or did not
    answer; ``not run``: it was not reached, since the process had died too often. ``where`` is the adapter's
    ``file:line``, empty where unknown.
    """

    kind: FailureKind
    type: str
    message: str
    where: str = ""


class Observation(msgspec.Struct, frozen=True, eq=False):
    """What came of a request.

    ``derivative`` is that of the value (forward mode) or of the gradient (second order) in the request's direction, or
    the gradient with respect to the targets.
    ``value_with_gradient`` is the value that the differentiating call returned beside the ``gradient``.
    ``gradient_failure`` is set where only the gradient failed; where the value fails, no gradient is asked for.
    ``warnings`` are those of the first call for the value, as ``Category: text``. ``modified`` names the inputs that
    the calls changed. ``repeatable`` is ``None`` where it was not asked for. ``seconds`` counts the framework's
    calls, each until its result has been read (so that asynchronous work is inside), and nothing of the harness.
    """

    key: int
    value: Array | None = None
    gradient: Array | None = None
    value_with_gradient: Array | None = None
    failure: Failure | None = None
    gradient_failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    repeatable: bool | None = None
    seconds: float = 0.0
    derivative: Array | None = None


@dataclass(frozen=True)
class Source:
    """The source of one operation: the evidence that a report prints. ``line`` counts from 1."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Description:
    """A backend as its process sees it.

    ``overridden`` names the operations that the class replaces in an adapter from which it inherits; ``profile``
    the file that declares its policies. ``pid`` is that of the process.
    """

    name: str
    framework: str
    versions: dict[str, str]
    device: str
    mode: str
    settings: dict[str, str] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    overridden: tuple[str, ...] = ()
    profile: str = ""
    pid: int = 0


class _Packer:
    """Collects arrays in one buffer; ``put`` gives what ``_Unpacker.get`` needs to find one again."""

    def __init__(self) -> None:
        self._dtypes: dict[np.dtype[Any], int] = {}
        self._parts: list[bytes] = []
        self._end = 0

    def put(self, item: Any) -> tuple[Any, ...]:
        """``(dtype index, shape, offset)`` for an array, ``(item,)`` for anything else."""
        if type(item) is not np.ndarray or item.dtype.hasobject:
            return (item,)
        raw = item.tobytes()
        self._parts.append(raw)
        start = self._end
        self._end += len(raw)
        return (self._dtypes.setdefault(item.dtype, len(self._dtypes)), item.shape, start)

    def finish(self, rows: list[Any]) -> bytes:
        return pickle.dumps((list(self._dtypes), rows, b"".join(self._parts)), protocol=5)


class _Unpacker:
    """Reads what a packer wrote. The arrays are read-only views of the one buffer."""

    def __init__(self, packed: bytes) -> None:
        self._dtypes, self.rows, self._buffer = pickle.loads(packed)

    def get(self, entry: tuple[Any, ...]) -> Any:
        if len(entry) == 1:
            return entry[0]
        index, shape, offset = entry
        return np.ndarray(shape, self._dtypes[index], self._buffer, offset)


def request_bytes(request: Request) -> int:
    """The size of a request's arrays in bytes."""
    given = (request.logits, request.upstream, request.tangent)
    total = sum(array.nbytes for array in given if array is not None)
    return total + sum(item.nbytes for item in request.operands.values() if isinstance(item, np.ndarray))


def pack_requests(requests: Sequence[Request]) -> bytes:
    """The requests as one block of bytes."""
    packer = _Packer()
    put = packer.put
    rows = [
        (
            r.key,
            r.operation,
            put(r.logits),
            [(name, put(item)) for name, item in r.operands.items()],
            r.options,
            r.layout,
            put(r.upstream),
            r.repeat,
            r.only_value,
            r.transform,
            put(r.tangent),
        )
        for r in requests
    ]
    return packer.finish(rows)


def unpack_requests(packed: bytes) -> list[Request]:
    """The requests that ``pack_requests`` packed, with read-only arrays."""
    unpacker = _Unpacker(packed)
    get = unpacker.get
    return [
        Request(
            key,
            operation,
            get(logits),
            {name: get(item) for name, item in operands},
            options,
            layout,
            get(upstream),
            repeat,
            only_value,
            transform,
            get(tangent),
        )
        for (
            key,
            operation,
            logits,
            operands,
            options,
            layout,
            upstream,
            repeat,
            only_value,
            transform,
            tangent,
        ) in unpacker.rows
    ]


def pack_observations(observations: Sequence[Observation]) -> bytes:
    """The observations as one block of bytes."""
    packer = _Packer()
    put = packer.put
    rows = [
        (
            o.key,
            put(o.value),
            put(o.gradient),
            put(o.value_with_gradient),
            o.failure,
            o.gradient_failure,
            o.warnings,
            o.modified,
            o.repeatable,
            o.seconds,
            put(o.derivative),
        )
        for o in observations
    ]
    return packer.finish(rows)


def _with_derivative(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A row of an observation with its last entry, the derivative, unpacked."""
    return lambda row: (*row[:-1], get(row[-1]))


def unpack_observations(packed: bytes) -> list[Observation]:
    """The observations that ``pack_observations`` packed, with read-only arrays."""
    unpacker = _Unpacker(packed)
    get = unpacker.get
    return [
        Observation(key, get(value), get(gradient), get(beside), *rest)
        for key, value, gradient, beside, *rest in map(_with_derivative(get), unpacker.rows)
    ]

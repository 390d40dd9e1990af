"""What crosses the border between a driver and a backend's process: typed frames, each behind its length.

Never a pickle, in either direction. The operands of a call lie in memory that the driver owns and both map; a frame
says where. Results come back as bytes with their dtype and shape. Importing this module imports no NumPy: the backend's
process sets its thread pools first.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, Literal

import msgspec

from conformance.worker.held import hold_builtins, math, os

__all__ = [
    "BEGUN",
    "LENGTH",
    "RESULTS",
    "Answer",
    "BatchOrder",
    "CallOrder",
    "ClassPlace",
    "CodePlace",
    "Compiled",
    "Described",
    "Fault",
    "FaultKind",
    "Operand",
    "Plain",
    "Result",
    "Start",
    "StartFailure",
    "State",
    "clean",
    "decode_answer",
    "decode_order",
    "decode_start",
    "decode_state",
    "encode",
    "framed",
    "largest_result",
    "pack",
    "spread_extent",
    "unpack",
    "write_all",
]

hold_builtins(globals())

LENGTH = struct.Struct("<Q")
BEGUN = struct.Struct("<Q")  # at the end of a region: how many calls of the batch have been begun
#: What the results of an answer are called.
RESULTS = frozenset({"value", "gradient", "value_with_gradient", "derivative"})
LONGEST_TEXT = 500  # characters of an exception, a warning or a fact
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
FaultKind = Literal["raised", "unsupported", "adapter"]


class Operand(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=True):
    """An array in the region: ``offset`` and ``strides`` in bytes; ``dtype`` as Result's.

    ``memory`` is what belongs to it, from where on and how many bytes, where that is more than its elements. Where
    ``exact``, no copy in another order will do; ``read_only`` memory must not be written to. Of one that is
    ``far_apart`` the region holds the numbers in C order, with a position before and one behind that are not its own,
    which are to be given in memory with these strides.
    """

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    memory: tuple[int, int] | None = None
    exact: bool = False
    read_only: bool = False
    far_apart: bool = False


class Plain(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """A Python object, handed over as it is: ``packed`` is its msgpack."""

    packed: bytes


class CallOrder(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One call to make, named by ``nonce``, a number that nobody can guess.

    ``upstream`` asks for the gradient too. ``transform`` names one of the transforms, to perform in place of the plain
    call. ``earlier`` asks to read once more, after this call, the results that were given for those nonces.
    ``other_logits`` and ``spacing`` as in Request.
    """

    nonce: int
    operation: str
    logits: Operand
    operands: dict[str, Operand | Plain]
    options: tuple[tuple[str, bool | int | float | str | None], ...]
    upstream: Operand | None = None
    tangent: Operand | None = None
    transform: str = ""
    earlier: tuple[int, ...] = ()
    spacing: int = 1
    other_logits: Operand | None = None


class Start(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """The backend to become. ``creator`` is ``module:function``; ``cache`` a folder for what is compiled."""

    nonce: int
    spec: str
    threads: int
    cache: str
    creator: str


class BatchOrder(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """Calls to make in this order, each answered by a frame; their operands lie in ``region``, of ``size`` bytes.

    After ``watchdog`` seconds, if not 0, the log receives the stack: a hanging call shows where it hangs. Behind the
    answers comes the state of the process, by ``nonce``.
    """

    nonce: int
    region: int
    size: int
    calls: list[CallOrder]
    watchdog: float = 0.0


class Result(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An array's bytes in C order.

    ``dtype`` is its scalar type's name, or ``numpy.dtype.str`` where the byte order is foreign.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class Fault(msgspec.Struct, array_like=True, frozen=True):
    """Why there is no result; ``file`` and ``line`` are the adapter's, empty and 0 where unknown."""

    kind: FaultKind
    type: str
    message: str
    file: str = ""
    line: int = 0


class Compiled(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a framework says of the functions that a call was to compile; as ``contract.Compilations``, of one call."""

    calls: Count
    uncompiled: Count
    graphs: Count
    ran: Count | None = None
    breaks: Count | None = None
    cached: Count | None = None
    reasons: dict[str, Count] = {}


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What came of a call.

    ``results`` are ``value``, ``gradient``, ``value_with_gradient`` and ``derivative``, as far as there are any.
    ``inputs`` holds the framework's own copies of small inputs as they are after the call: a result, the msgpack of a
    Python object, or ``None`` for what can no longer be read. ``earlier`` are the results that were to be
    read once more, in the order's order, as far as they can still be read.
    ``compiled`` is absent where the backend does not compile, or says nothing of it.
    ``shared`` are the results that lie in the memory of an input, or of another result, each with its name.
    """

    nonce: int
    results: dict[str, Result]
    failure: Fault | None = None
    gradient_failure: Fault | None = None
    warnings: tuple[str, ...] = ()
    inputs: dict[str, Result | bytes | None] = {}
    earlier: tuple[dict[str, Result], ...] = ()
    nanoseconds: int = 0
    compiled: Compiled | None = None
    shared: tuple[tuple[str, str], ...] = ()


class State(msgspec.Struct, array_like=True, frozen=True):
    """What calls share within a process, by name."""

    nonce: int
    facts: dict[str, str]


class CodePlace(msgspec.Struct, array_like=True, frozen=True):
    """Where a function begins, as its code object says."""

    file: str
    line: int


class ClassPlace(msgspec.Struct, array_like=True, frozen=True):
    """A class of the adapter, the file of its module, and which of the operations it defines itself."""

    module: str
    name: str
    file: str
    defines: tuple[str, ...]


class Described(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """What a backend says of itself.

    ``options`` are its execution, composition, precision, memory and ranks, empty for the default of all but the
    first. ``classes`` are the adapter's, most derived first; ``methods`` maps the operations to the code that runs;
    ``files`` are all that hold the adapter's code, ``shared`` those of the code, beside the operations, that may have a
    part in every result. ``lacks`` are the features that it says are unsupported, ``offers`` what it says of its
    operations; ``state`` is that of the process before any call.
    """

    nonce: int
    framework: str
    versions: dict[str, str]
    device: str
    mode: str
    options: tuple[str, str, str, str, str]
    settings: dict[str, str]
    profile: str
    compiles: bool
    classes: tuple[ClassPlace, ...]
    methods: dict[str, CodePlace]
    files: tuple[str, ...]
    shared: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    offers: dict[str, str] = {}
    state: dict[str, str] = {}


class StartFailure(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """Why the backend cannot be started, and what to do about it where that is known."""

    nonce: int
    problem: str
    hint: str = ""


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
#: A Python object that is handed over as it is, such as a list of labels.
pack = _encoder.encode
unpack = msgspec.msgpack.Decoder().decode
decode_order = msgspec.msgpack.Decoder(Start | BatchOrder).decode
decode_start = msgspec.msgpack.Decoder(Described | StartFailure).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
decode_state = msgspec.msgpack.Decoder(State).decode


def largest_result(call: CallOrder) -> int:
    """The bytes that a result may have: those of the logits in any dtype, and some for what is small and wrong."""
    return (1 << 20) + 16 * math.prod(call.logits.shape) * call.spacing


def spread_extent(positions: int, spacing: int) -> int:
    """How many positions there are in all where some lie ``spacing`` apart."""
    return (positions - 1) * spacing + 1


def framed(message: Any) -> bytes:
    """A message as it travels: eight bytes of length, then msgpack."""
    body = encode(message)
    return LENGTH.pack(len(body)) + body


def clean(text: object, longest: int = LONGEST_TEXT) -> str:
    """``text`` as a plain ``str`` that can be encoded: cut, and with lone surrogates spelled out.

    Whatever its own class does when it is asked.
    """
    try:
        said = text if type(text) is str else str.__str__(text if isinstance(text, str) else str(text))
        return said[:longest].encode("utf-8", "backslashreplace").decode("utf-8")
    except Exception:
        return "(the text could not be read)"


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however often the system takes less."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]

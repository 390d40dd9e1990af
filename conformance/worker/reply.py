"""What comes back over the border: a reply to each call, what it shows, and what of it may arrive at all."""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec
import numpy as np

from conformance.model.execution import ExecutionEvidence, total
from conformance.model.layouts import layout_of
from conformance.worker import wire
from conformance.worker.exchange import Array, Failure, Observation, Request
from conformance.worker.outputs import BITS, EXTENDED, INVERTED, without_gaps
from conformance.worker.paths import display_place
from conformance.worker.supervisor import CLOSED

__all__ = [
    "FORGED",
    "Died",
    "Reply",
    "SentRequest",
    "add_end",
    "add_repetition",
    "check",
    "differs",
    "ends_alike",
    "failure_of",
    "intact",
    "mode_of",
    "note_end",
    "observation_of",
]

MOST_WARNINGS = 20
#: The type of the failure where a process answers what it was not asked.
FORGED = "ForgedAnswer"
MOST_AXES = 64  # of an array of NumPy's
#: What each byte is after results were written to, by the bits that are inverted.
WRITTEN = dict(zip(BITS, INVERTED, strict=True))


class Died(Exception):
    """The backend is gone, or has done what no backend may do; ``failure`` is that of the call that was under way.

    ``at`` is the place of that call in the batch. ``before``: it has done so before it was sent the batch.
    """

    def __init__(self, failure: Failure, *, at: int = 0, before: bool = False) -> None:
        self.failure = failure
        self.at = at
        self.before = before
        super().__init__(failure.message)


class SentRequest(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A request in the form in which it is sent; ``place`` is that of its observation.

    ``room``: bytes that its operands take at most.
    """

    place: int
    request: Request
    room: int


class Reply(msgspec.Struct, eq=False):
    """What came of a call: its answer, or why there is none, and what it changed that is not its own.

    ``overwritten``: the nonces of earlier calls whose results are other ones behind it. ``died``, ``left``, ``first``
    and ``repeatable`` as in Observation.
    """

    asked: SentRequest
    answer: wire.Answer | None = None
    failure: Failure | None = None
    modified: list[str] = []
    overwritten: tuple[int, ...] = ()
    died: Failure | None = None
    left: tuple[str, ...] = ()
    first: bool = False
    repeatable: bool | None = None
    mode: ExecutionEvidence | None = None


def observation_of(seen: Reply) -> Observation:
    """A reply as it is judged."""
    request, answer = seen.asked.request, seen.answer
    if seen.failure is not None or answer is None:
        return Observation(
            request.key,
            failure=seen.failure,
            modified=tuple(seen.modified),
            died=seen.died,
            left=seen.left,
            first=seen.first,
        )
    arrays = {name: _array(result) for name, result in answer.results.items()}
    if layout_of(request.layout, "logits") == "byte-swapped":  # what keeps that order keeps the dtype
        arrays = {name: each.astype(each.dtype.newbyteorder("=")) for name, each in arrays.items()}
    late = answer.gradient_failure
    if request.only_value:
        arrays.pop("gradient", None)
        late = None
    return Observation(
        request.key,
        **arrays,
        failure=failure_of(answer.failure),
        gradient_failure=failure_of(late),
        warnings=tuple(map(wire.clean, answer.warnings[:MOST_WARNINGS])),
        modified=tuple(seen.modified),
        repeatable=seen.repeatable,
        seconds=answer.nanoseconds * 1e-9,
        died=seen.died,
        left=seen.left,
        first=seen.first,
        shared=tuple((_name(one), _name(other)) for one, other in answer.shared[:MOST_WARNINGS]),
        mode=seen.mode,
        spoils=False,
    )


def mode_of(seen: Reply, *, compiles: bool) -> ExecutionEvidence | None:
    """How a call that gave a result was executed, where it was to be compiled.

    A call that runs no function of the runtime compiles in a way of its own, of which nothing is known. It ran
    uncompiled where a function did so, or where no compiled graph was executed.
    """
    if not compiles or seen.answer is None or not seen.answer.results:
        return None
    said = seen.answer.compiled
    if said is None or not said.calls:
        return ExecutionEvidence(calls=1, unknown=1)
    missed = bool(said.uncompiled or said.ran == 0)
    return ExecutionEvidence(
        calls=1,
        compiled=int(not missed),
        uncompiled=int(missed),
        graphs=said.graphs,
        breaks=said.breaks,
        cached=said.cached,
        reasons={wire.clean(reason): count for reason, count in said.reasons.items()},
    )


def _name(name: str) -> str:
    return wire.clean(name, 40).replace("_", " ")


def failure_of(fault: wire.Fault | None) -> Failure | None:
    """A fault as the driver reports it: cut, and with its place as it is shown."""
    if fault is None:
        return None
    where = display_place(wire.clean(fault.file, 4000), fault.line)
    return Failure(fault.kind, wire.clean(fault.type), wire.clean(fault.message), where)


def add_repetition(first: Reply, again: Reply) -> None:
    """Add what the same call, made once more, shows: its bits, its time, what it changed and how it was executed."""
    if again.failure is None or again.failure.kind != "not run":
        first.modified += (name for name in again.modified if name not in first.modified)
        first.repeatable = _agrees(first, again)
        first.mode = total((first.mode, again.mode))
    if first.answer is not None and again.answer is not None:
        together = first.answer.nanoseconds + again.answer.nanoseconds
        first.answer = msgspec.structs.replace(first.answer, nanoseconds=together)


def add_end(first: Reply, again: Reply) -> None:
    """Add how the same call, made once more, has ended the backend's process, or left it changed."""
    first.died, first.left = first.died or again.died, first.left or again.left
    if again.failure is not None and again.failure.kind != "not run":
        first.failure, first.first = again.failure, again.first


def ends_alike(end: Failure, alone: Reply) -> bool:
    """Whether a call alone ends the process as it ended in company: there, what misuses its pipes looks otherwise."""
    if alone.failure is None or not alone.failure.is_death:
        return False
    return end.type == alone.failure.type or bool({FORGED, CLOSED} & {end.type, alone.failure.type})


def note_end(end: Failure, of: Reply) -> None:
    """Put the process's end on record, where no call is known to end it."""
    if of.failure is not None and of.failure.kind == "not run":
        of.failure = end
    else:
        of.died = of.died or end


def _agrees(first: Reply, again: Reply) -> bool:
    """Whether the second call gave the bits of the first, in all that it was to give again."""
    if first.answer is None or again.answer is None or again.answer.failure is not None:
        return False
    request = again.asked.request
    whole = request.transform or request.upstream is not None
    names = list(first.answer.results) if whole else ["value"]
    return all(again.answer.results.get(name) == first.answer.results[name] for name in names)


def intact(now: dict[str, wire.Result], before: dict[str, wire.Result]) -> bool:
    """Whether results are as they were, or as they are once they were written to, where a framework lets one."""
    return now == before or (now.keys() == before.keys() and all(_same(now[name], before[name]) for name in before))


def _same(now: wire.Result, before: wire.Result) -> bool:
    if (now.dtype, now.shape) != (before.dtype, before.shape):
        return False
    if now.data == before.data:
        return True
    table = WRITTEN.get(now.data[0] ^ before.data[0]) if now.data and before.data else None
    if table is not None and now.data == before.data.translate(table):
        return True
    dtype = _dtype(before.dtype)
    if dtype is None or dtype.char not in EXTENDED or not _is_array(before):
        return False
    return now.data in [without_gaps(dtype, before.data.translate(table)) for table in INVERTED]


def differs(copy: wire.Result, seen: Reply, name: str) -> bool:
    """Whether the framework's copy of an input holds other bits than were sent."""
    request = seen.asked.request
    beside = ("logits", "upstream", "tangent", "other_logits")
    sent = getattr(request, name) if name in beside else request.operands.get(name)
    return isinstance(sent, np.ndarray) and copy.data != sent.tobytes()


# -- what may arrive --------------------------------------------------------------------------------------------------

_dtypes: dict[str, np.dtype[np.generic] | None] = {}


def _dtype(name: str) -> np.dtype[np.generic] | None:
    """The dtype of that name, if it is one of numbers."""
    if name not in _dtypes:
        if len(_dtypes) > 256:
            _dtypes.clear()
        try:
            import ml_dtypes  # noqa: F401  # NumPy knows its names from then on

            found = np.dtype(name[:40])
        except Exception:
            found = None
        numbers = found is not None and (found.kind in "biufc" or (found.kind == "V" and found.names is None))
        _dtypes[name] = found if numbers and found is not None and found.itemsize and not found.subdtype else None
    return _dtypes[name]


def _is_array(result: wire.Result) -> bool:
    return _holds_together(result.dtype, result.shape, len(result.data))


@lru_cache(maxsize=1024)
def _holds_together(name: str, shape: tuple[int, ...], size: int) -> bool:
    dtype = _dtype(name)
    if dtype is None or len(shape) > MOST_AXES or min(shape, default=0) < 0:
        return False
    return size == dtype.itemsize * math.prod(shape)


def check(answer: wire.Answer, nonce: int) -> None:
    """Raises Died for an answer that is none to this call, or that does not hold together.

    What is only compared with what was sent, or with an earlier result, need not hold together.
    """
    if answer.nonce != nonce:
        raise Died(Failure("crash", FORGED, "the backend's process sent an answer that nobody asked for"))
    sound = answer.nanoseconds >= 0
    for name, each in answer.results.items():
        sound = sound and name in wire.RESULTS and _is_array(each)
    if not sound:
        raise Died(Failure("crash", FORGED, "the backend's process sent an answer that does not hold together"))


def _array(result: wire.Result) -> Array:
    array: Array = np.frombuffer(result.data, _dtype(result.dtype)).reshape(result.shape)
    return array

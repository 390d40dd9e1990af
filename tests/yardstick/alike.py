"""Judges alike answers once: most wrong backends give nearly all cases the very bits that the right one gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np

from conformance.backends.contract import Backend
from conformance.model.outcome import Outcome
from conformance.profiles.subject import Subject
from conformance.run.chunk import Chunk, chunk_of
from conformance.run.judged import OpenBackend
from conformance.run.plan import Portion
from conformance.worker.exchange import Description, Observation, Request
from conformance.worker.session import InlineSession
from tests.yardstick.kernel import Kernel

__all__ = ["ChunkJudge", "Chunks", "Contestant", "RightKernel"]

#: Names in a class's namespace that are not of its making.
_OF_ANY_CLASS = frozenset(("_abc_impl", "__abstractmethods__", "__annotations__", "__doc__", "__module__", "__init__"))

#: Of each kind of backend, how it describes itself, which takes longer than many of its calls.
_DESCRIBED: dict[type[Backend], Description] = {}


class RightKernel:
    """The right kernel: what it answers, and the names of its attributes that are looked up on the way.

    Whoever derives from it and changes none of these answers the same, and need not be asked.
    """

    def __init__(self) -> None:
        names: set[str] = set()

        class Traced(Kernel):
            def __getattribute__(self, name: str) -> Any:
                names.add(name)
                return super().__getattribute__(name)

        self._names = names
        self._session = InlineSession(Traced())

    def answers(self, requests: Sequence[Request]) -> list[tuple[Observation, frozenset[str]]]:
        """The answer to each request, and the names that were looked up for it."""
        found = []
        for request in requests:
            self._names.clear()
            (answer,) = self._session.run([request])
            found.append((answer, frozenset(self._names)))
        return found


class Contestant:
    """A backend that answers in this process, and is judged as ``subject``.

    With ``once``, it makes each call once and by itself. Three questions make a call again: the repeat, which must give
    the same bits, is not asked (ChunkJudge); of a call beside another thread's, and of a map that is the right kernel's
    loop over the calls of its examples, the right kernel's answer stands.
    """

    def __init__(self, backend: Backend, subject: Subject, *, once: bool = False) -> None:
        self._kind, self._changed, self._once = type(backend), _changed(backend), once
        self._session = InlineSession(backend)
        self._answers: list[Observation] = []
        self._judged = OpenBackend(self, subject.name, subject)
        self._declared = msgspec.json.encode(subject.profile)

    def answer(self, requests: Sequence[Request], right: Sequence[tuple[Observation, frozenset[str]]]) -> bytes:
        """Answer requests; a digest of the answers, which is equal where a judge can see no difference.

        ``right`` are the answers of the right kernel, which stand where nothing of this one's own is looked up.
        """
        self._answers = [answer for answer, _ in right]
        places = [place for place, (_, names) in enumerate(right) if self._may_differ(requests[place], names)]
        for place, answer in zip(places, self._session.run([requests[each] for each in places]), strict=True):
            self._answers[place] = answer
        digest = hashlib.sha256(self._declared)
        for answer in self._answers:
            seen = msgspec.structs.replace(answer, seconds=0.0, mode=None)
            for field in seen.__struct_fields__:
                _feed(digest, getattr(seen, field))
        return digest.digest()

    def _may_differ(self, request: Request, names: Collection[str]) -> bool:
        """Whether the answer may be another than that of the right kernel, which has looked up ``names`` for it."""
        if self._once and (request.other_logits is not None or self._only_loops(request)):
            return False
        return self._changed is None or not self._changed.isdisjoint(names)

    def _only_loops(self, request: Request) -> bool:
        """Whether a map is the right kernel's, a loop over calls that are asked for by themselves, too."""
        return request.transform == "vectorised-map" and self._changed is not None and "vmap" not in self._changed

    def asked(self, portion: Portion) -> Portion:
        """A portion as this backend is asked it."""
        return self._judged.asked(portion)

    def judge(self, chunk: Chunk) -> list[list[Outcome]]:
        """The outcomes of the chunk that was asked last, unit by unit."""
        return self._judged.judge_chunk(chunk).units

    def forget(self) -> None:
        """Let go of the last answers: those of large cases, times hundreds of backends, would fill a machine."""
        self._answers = []

    def describe(self) -> Description:
        """The backend, as it was when one of its kind was asked first in this process."""
        if self._kind not in _DESCRIBED:
            _DESCRIBED[self._kind] = self._session.describe()
        return _DESCRIBED[self._kind]

    def run(self, requests: Sequence[Request]) -> list[Observation]:
        """What was answered."""
        return self._answers

    def close(self) -> None:
        """Nothing is open."""


class Chunks:
    """The chunks of a portion: one for all the backends that are asked alike."""

    def __init__(self, portion: Portion) -> None:
        self._portion = portion
        self._made: dict[str, Chunk] = {}

    def of(self, backend: OpenBackend | Contestant) -> Chunk:
        """What the backend is asked."""
        asked = backend.asked(self._portion)
        if asked.default_reduction not in self._made:
            self._made[asked.default_reduction] = chunk_of(asked)
        return self._made[asked.default_reduction]


class ChunkJudge:
    """Judges contestants on one portion; of alike answers the outcomes are those of the first that gave them.

    ``once`` is what the contestants were opened with: then no call is repeated.
    """

    def __init__(self, portion: Portion, right: RightKernel, *, once: bool = False) -> None:
        self._chunks = Chunks(portion)
        self._right, self._once = right, once
        self._asked: dict[int, tuple[list[Request], list[tuple[Observation, frozenset[str]]]]] = {}
        self._found: dict[bytes, list[list[Outcome]]] = {}

    def units(self, contestant: Contestant) -> list[list[Outcome]]:
        """The outcomes, unit by unit; those of alike answers are named after the first that gave them."""
        chunk = self._chunks.of(contestant)
        key = contestant.answer(*self._requests(chunk))
        if key not in self._found:
            self._found[key] = contestant.judge(chunk)
        contestant.forget()
        return self._found[key]

    def _requests(self, chunk: Chunk) -> tuple[list[Request], list[tuple[Observation, frozenset[str]]]]:
        """The requests of a chunk, and what the right kernel answers."""
        if id(chunk) not in self._asked:
            requests = chunk.requests
            if self._once:
                requests = [msgspec.structs.replace(each, repeat=False) for each in requests]
            self._asked[id(chunk)] = requests, self._right.answers(requests)
        return self._asked[id(chunk)]


def _changed(backend: Backend) -> frozenset[str] | None:
    """The attributes in which a backend differs from the right kernel; None where it is not simply derived from it."""
    mro = type(backend).__mro__
    if Kernel not in mro or mro[mro.index(Kernel) :] != Kernel.__mro__:
        return None
    own = vars(backend).keys() - vars(Kernel()).keys()
    names = own.union(*(vars(each) for each in mro[: mro.index(Kernel)])) - _OF_ANY_CLASS
    return None if any(name.startswith("__") for name in names) else frozenset(names)


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value))
    else:
        digest.update(repr(value).encode())

"""Judges alike answers once: most wrong backends give nearly all cases the very bits that the right one gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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

__all__ = ["ChunkJudge", "Chunks", "Contestant"]


class Contestant:
    """A backend that answers in this process, and is judged as ``subject``."""

    def __init__(self, backend: Backend, subject: Subject) -> None:
        self._session = InlineSession(backend)
        self._answers: list[Observation] = []
        self._judged = OpenBackend(self, subject.name, subject)
        self._declared = msgspec.json.encode(subject.profile)

    def answer(self, chunk: Chunk) -> bytes:
        """Ask a chunk; a digest of the answers, which is equal where a judge can see no difference."""
        self._answers = self._session.run(chunk.requests)
        digest = hashlib.sha256(self._declared)
        for answer in self._answers:
            seen = msgspec.structs.replace(answer, seconds=0.0, mode=None)
            for field in seen.__struct_fields__:
                _feed(digest, getattr(seen, field))
        return digest.digest()

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
        """The backend."""
        return self._session.describe()

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
    """Judges contestants on one portion; of alike answers the outcomes are those of the first that gave them."""

    def __init__(self, portion: Portion) -> None:
        self._chunks = Chunks(portion)
        self._found: dict[bytes, list[list[Outcome]]] = {}

    def units(self, contestant: Contestant) -> list[list[Outcome]]:
        """The outcomes, unit by unit; those of alike answers are named after the first that gave them."""
        chunk = self._chunks.of(contestant)
        key = contestant.answer(chunk)
        if key not in self._found:
            self._found[key] = contestant.judge(chunk)
        contestant.forget()
        return self._found[key]


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value))
    else:
        digest.update(repr(value).encode())

"""The records of a run: a header, backends, outcomes, what they cost, and a footer, one JSON object a line.

Every line names its kind in ``record``. JSON has no infinities and no NaN: such numbers are the strings ``inf``,
``-inf`` and ``nan``; all others are written in the shortest form that reads back as the same double. Fields of an
outcome that have their default are left out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.model.backend import BackendId, BackendRecord, Declaration, OwnProfile, SourceRecord
from conformance.model.outcome import DefectRef, ErrorFact, Number, Outcome, Reason, UnitKey, number

__all__ = [
    "SCHEMA",
    "BackendId",
    "BackendRecord",
    "Costs",
    "Declaration",
    "DefectRef",
    "ErrorFact",
    "Footer",
    "Header",
    "Number",
    "Outcome",
    "OwnProfile",
    "Reason",
    "Record",
    "SourceRecord",
    "UnitKey",
    "WorkerRecord",
    "decode_record",
    "encode_record",
    "number",
]

#: Raised whenever a reader of the older form would misread the newer one.
SCHEMA = 2


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="header"):
    """What ran, where and when. ``started`` is UTC in ISO 8601; ``commit`` is the suite's, if it runs from a checkout.

    ``backends`` lists those that are known from the start; others follow as lines of their own when they come up.
    """

    schema: int = SCHEMA
    suite: str
    commit: str | None = None
    started: str
    environment: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    backends: list[BackendRecord] = []


class Costs(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="costs"):
    """What cases cost with a backend: ``seconds`` of asking and judging by case, start-up left out.

    Of a case that stands in several, the last one counts.
    """

    backend: str
    seconds: dict[str, float]


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="worker"):
    """A worker of a run on several machines, by the ``name`` that its outcomes carry.

    ``environment`` is that of its machine, as the header's is of the machine that conducts; ``versions`` maps the
    frameworks' distributions that are installed there to their versions, ``resources`` are what it offers.
    """

    name: str
    suite: str
    commit: str | None = None
    environment: dict[str, Any] = {}
    versions: dict[str, str] = {}
    resources: list[str] = []


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="footer"):
    """The end of a run. ``counts`` maps each verdict to its number; ``complete`` is false for an interrupted run."""

    counts: dict[str, int]
    seconds: float
    complete: bool


Record = Header | BackendRecord | WorkerRecord | Outcome | Costs | Footer
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """One line of JSON, with its line end."""
    return _encoder.encode(record) + b"\n"


def decode_record(line: bytes) -> Record:
    """The record of a line; raises ``msgspec.DecodeError`` (or its ``ValidationError``) for a line that holds none."""
    record: Record = _decoder.decode(line)
    return record

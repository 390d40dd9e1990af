"""The records of a run: a header, outcomes and a footer, one JSON object a line.

Every line names its kind in ``record``. JSON has no infinities and no NaN: such numbers are the strings ``inf``,
``-inf`` and ``nan``; all others are written in the shortest form that reads back as the same double.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

__all__ = [
    "SCHEMA",
    "BackendRecord",
    "Declaration",
    "Footer",
    "Header",
    "Number",
    "Outcome",
    "Record",
    "SourceRecord",
    "UnitKey",
    "decode_record",
    "encode_record",
    "number",
]

#: Raised whenever a reader of the older form would misread the newer one.
SCHEMA = 1
Number = float | str
#: What is done as a whole and written as one block: backend, case, dtype, layout.
UnitKey = tuple[str, str, str, str]


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an adapter: ``file``, the ``line`` it begins at (from 1), its ``text``."""

    file: str
    line: int
    text: str


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as a profile declares it: one value, or one for each operation, dtype or kind of input."""

    value: Any
    documentation: str = ""
    note: str = ""


class BackendRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="backend"):
    """A backend of the run. ``settings`` are the numeric modes in force: x64, TF32, flush-to-zero, threads.

    ``sources`` maps each operation to its place and text in the adapter, and ``class NAME`` to each of the adapter's
    classes, most derived first, with the text of its module.
    """

    name: str
    framework: str = ""
    profile: str = ""  # names the file that declares its policies; earlier versions of the suite left it out
    versions: dict[str, str] = {}
    device: str = ""
    mode: str = ""
    settings: dict[str, str] = {}
    sources: dict[str, SourceRecord] = {}
    error: str | None = None
    #: What the backend's profile declares for this device and mode, by policy.
    policies: dict[str, Declaration] = {}


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


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="outcome"):
    """The verdict of one check. Non-finite floats become strings when the object is made.

    ``class_`` is ``class`` in JSON. ``ulp`` is the distance to the exact real over the spacing there; ``ratio`` is
    error over tolerance; ``worst_input`` holds hexadecimal floats; ``seconds`` is the framework's own time;
    ``source`` is the adapter's ``file:line``. Where the check is ``policy``, ``policy`` names it, with what it is asked
    of (``label-out-of-range/above``); ``observed`` lists the values that describe what was seen, ``expected`` is the
    declared one.
    """

    case: str
    theme: str = ""
    backend: str
    version: str = ""
    device: str = ""
    dtype: str
    mode: str = ""
    layout: str
    op: str
    reduction: str = ""
    check: str
    verdict: str
    class_: str | None = msgspec.field(default=None, name="class")
    ulp: Number | None = None
    ratio: Number | None = None
    observed: Any = None
    expected: Any = None
    worst_input: Any = None
    message: str = ""
    seconds: float = 0.0
    source: str | None = None
    policy: str = ""

    def __post_init__(self) -> None:
        for name in ("ulp", "ratio", "observed", "expected", "worst_input"):
            value = getattr(self, name)
            if value is None or type(value) is str:
                continue
            if type(value) is not float or not math.isfinite(value):
                writable = _writable(value)
                if writable is not value:
                    msgspec.structs.force_setattr(self, name, writable)

    @property
    def unit(self) -> UnitKey:
        """What this outcome is a part of."""
        return (self.backend, self.case, self.dtype, self.layout)


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="footer"):
    """The end of a run. ``counts`` maps each verdict to its number; ``complete`` is false for an interrupted run."""

    counts: dict[str, int]
    seconds: float
    complete: bool


Record = Header | BackendRecord | Outcome | Footer
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """One line of JSON, with its line end."""
    return _encoder.encode(record) + b"\n"


def decode_record(line: bytes) -> Record:
    """The record of a line; raises ``msgspec.DecodeError`` (or its ``ValidationError``) for a line that is none."""
    record: Record = _decoder.decode(line)
    return record


def number(value: Number) -> float:
    """The float that ``value`` stands for: ``inf``, ``-inf`` and ``nan`` are read back."""
    return float(value)


def _writable(value: Any) -> Any:
    """``value`` in terms that JSON has: lists, plain floats, and strings for non-finite numbers."""
    if isinstance(value, float):
        plain = value if type(value) is float else float(value)
        return plain if math.isfinite(plain) else str(plain)
    if isinstance(value, list | tuple):
        return [_writable(each) for each in value]
    if hasattr(value, "tolist"):  # a NumPy array or scalar
        return _writable(value.tolist())
    return value

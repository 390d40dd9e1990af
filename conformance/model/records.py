"""The records of a run: a header, backends, outcomes, what they cost, and a footer, one JSON object a line.

Every line names its kind in ``record``. Behind lines that were written at once stands a block, with their checksum.
JSON has no infinities and no NaN: such numbers are the strings ``inf``, ``-inf`` and ``nan``; all others are written in
the shortest form that reads back as the same double. Fields of an outcome that have their default are left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from conformance.model.backend import BackendRecord
from conformance.model.execution import ExecutionEvidence
from conformance.model.outcome import Count, Outcome, as_json
from conformance.model.verdicts import Verdict

__all__ = [
    "MOST_RANDOM",
    "MOST_SHARDS",
    "SCHEMA",
    "BlockRecord",
    "Costs",
    "Footer",
    "Header",
    "Record",
    "Selection",
    "Shard",
    "WorkerRecord",
    "decode_record",
    "encode_record",
]

#: Raised whenever a reader of the older form would misread the newer one.
SCHEMA = 3
#: The most that a selection may ask for: what a stranger's header asks for is made where its run is resumed.
MOST_RANDOM, MOST_SHARDS = 10**6, 10**6 - 1


class Shard(msgspec.Struct, frozen=True):
    """The ``index``-th of ``count`` parts of a selection, counted from 1. Raises ValueError for none of them."""

    index: int
    count: Annotated[int, msgspec.Meta(le=MOST_SHARDS)]

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError("a shard's index is from 1 to its count")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked for, by the specs of its backends and the options of the command line.

    ``partition`` is the digest of all shards, empty where the run is none. ``random`` is how many random cases of
    ``seed`` there were beside the others. ``tier`` is that of a run of all cases. Cases that state more than
    ``max_memory`` bytes or ``timeout`` seconds are left out.
    """

    backends: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    expression: str | None = None
    dtypes: tuple[str, ...] = ()
    shard: Shard | None = None
    costs: tuple[str, ...] = ()
    partition: str = ""
    quick: bool = False
    random: Annotated[int, msgspec.Meta(ge=0, le=MOST_RANDOM)] = 0
    seed: Count | None = None
    identities: bool = True
    tier: Literal["default", "full"] = "default"
    max_memory: Count = 2 << 30
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 60.0


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="header"):
    """What ran, where and when. ``started`` is UTC in ISO 8601; ``commit`` is the suite's, if it runs from a checkout.

    ``selection`` has the fields of :class:`Selection`. ``backends`` lists those that are known from the start; others
    follow as lines of their own when they come up. ``case_files`` has every file in which cases were looked for, with a
    digest of what was selected of it (for shards before that was divided), empty for nothing. ``blocks`` says that
    whatever is written has one behind it. Files of earlier versions may lack both.
    """

    schema: Count = SCHEMA
    suite: str
    commit: str | None = None
    started: str
    environment: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    backends: list[BackendRecord] = []
    case_files: dict[str, str] = {}
    blocks: bool = False

    def __post_init__(self) -> None:
        as_json([self.environment, self.selection])
        msgspec.convert(self.selection, Selection)

    @property
    def selected(self) -> Selection:
        """The selection as an object."""
        return msgspec.convert(self.selection, Selection)

    def changed_file(self, other: Header) -> str:
        """The first file of cases of which ``other`` selects something else; empty where none is known to differ."""
        if not self.case_files or not other.case_files:
            return ""
        names = sorted({*self.case_files, *other.case_files})
        return next((name for name in names if self.case_files.get(name, "") != other.case_files.get(name, "")), "")


class BlockRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="block"):
    """Stands behind lines that were written at once, all since the block before: ``lines`` says how many.

    ``crc32`` is the CRC-32 of their bytes, line ends included, as zlib has it.
    """

    lines: Count
    crc32: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class Costs(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="costs"):
    """What cases cost with a backend: ``seconds`` of asking and judging by case, start-up left out.

    Of a case that stands in several, the last one counts. ``deaths`` is how often its process ended, or had to be
    ended, meanwhile; ``restarts`` how often another one was started in its place, also where none had died.
    ``mode`` says how their calls were executed, absent in files of earlier versions.
    """

    backend: str
    seconds: dict[str, Annotated[float, msgspec.Meta(ge=0)]]
    deaths: Count = 0
    restarts: Count = 0
    mode: ExecutionEvidence | None = None


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

    def __post_init__(self) -> None:
        as_json(self.environment)


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="footer"):
    """The end of a run. ``counts`` maps each verdict to the number of outcomes that have it in the file.

    ``complete`` is false for a run that can be resumed: it was interrupted, or a backend did not start or was given up.
    ``memory`` is the most, in bytes, that all processes of the run had together on the machine that conducts it, since
    it was begun or resumed; None where that is not known.
    """

    counts: dict[Verdict, Count] = {}
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    complete: bool
    memory: Count | None = None


Record = Header | BackendRecord | WorkerRecord | Outcome | Costs | BlockRecord | Footer
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """One line of JSON, with its line end; a lone surrogate in a text, which UTF-8 has not, is spelled out."""
    try:
        return _encoder.encode(record) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_encodable(msgspec.to_builtins(record))) + b"\n"


def decode_record(line: bytes) -> Record:
    """The record of a line; raises ``msgspec.DecodeError`` (or its ``ValidationError``) for a line that holds none."""
    record: Record = _decoder.decode(line)
    return record


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(each) for name, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, list | tuple) else value

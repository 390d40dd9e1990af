"""The file of a run: written block by block, locked against a second run, read back, cut back and resumed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from conformance.model.errors import HarnessError, Place, UsageError
from conformance.model.records import (
    SCHEMA,
    BackendId,
    BackendRecord,
    Costs,
    Footer,
    Header,
    Outcome,
    Record,
    UnitKey,
    WorkerRecord,
    decode_record,
    encode_record,
)
from conformance.results.upgrade import FORMER, decode_former

__all__ = ["FILE", "Run", "Writer", "decoder_of", "discard", "read_run"]

FILE = "outcomes.jsonl"
LOCK = ".lock"
OUTCOME = b'{"record":"outcome"'


class Writer:
    """Writes a run into ``folder`` (made if need be), each block at once and flushed.

    With ``resuming`` it goes on with the run that the folder holds: ``done`` are the units that need not be done
    again, ``header`` is the first one's. Raises ``UsageError`` for a folder that holds a run (or, resuming, a
    complete one), or in which another run is writing; ``HarnessError`` when the disk refuses.
    """

    def __init__(self, folder: Path | str, header: Header, *, resuming: bool = False) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE
        self.done: frozenset[UnitKey] = frozenset()
        self.header = header
        with self._disk():
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock: _Lock | None = _Lock(self.folder)
        try:
            self._file: IO[bytes] | None = self._open(resuming)
            if self.header is header:
                self._write(encode_record(header))
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self, record: BackendRecord | WorkerRecord | Costs) -> None:
        """Record a backend that has come up, or why it has not; a worker; or what cases have cost."""
        self._write(encode_record(record))

    def write(self, unit: Iterable[Outcome]) -> None:
        """Write the outcomes of one unit as one block: a run that is cut off loses the last block at most."""
        self.append(b"".join(encode_record(each) for each in unit))

    def append(self, block: bytes) -> None:
        """Write encoded outcomes, as :meth:`write` does."""
        self._write(block)

    def finish(self, footer: Footer) -> None:
        """Write the footer and close, with everything on the disk."""
        self._write(encode_record(footer))
        with self._disk():
            if self._file is not None:
                os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        """Close the file and give the folder free; a run without a footer is truncated and can be resumed."""
        file, self._file = self._file, None
        lock, self._lock = self._lock, None
        try:
            if file is not None:
                with self._disk():
                    file.close()
        finally:
            if lock is not None:
                lock.release()

    def _open(self, resuming: bool) -> IO[bytes]:
        held = self.path.exists() and self.path.stat().st_size > 0
        if held and not resuming:
            raise UsageError(
                f"{self.folder} already holds a run", hint="resume it, or name another output folder for this run"
            )
        if held:
            kept = _cut_back(self.path)
            if kept is not None:
                self.header, self.done = kept
        with self._disk():
            # Unbuffered: a block is one write, and nothing is left to be lost.
            return self.path.open("ab", buffering=0)

    def _write(self, block: bytes) -> None:
        if self._file is None:
            raise HarnessError(f"{self.path} has been closed")
        rest = memoryview(block)
        with self._disk():
            while rest:
                rest = rest[self._file.write(rest) :]

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        with _disk_errors(self.path, "written"):
            yield


@dataclass(frozen=True)
class Run:
    """A run as read. ``truncated``: it has no footer, or its last line is cut off; such a run can be resumed."""

    path: Path
    header: Header
    backends: dict[str, BackendRecord]
    footer: Footer | None
    truncated: bool
    workers: dict[str, WorkerRecord] = field(default_factory=dict)

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes in file order, read as they are asked for."""
        return (record for _, record in _records(self.path) if isinstance(record, Outcome))

    @property
    def costs(self) -> dict[str, dict[str, float]]:
        """Seconds of each case, by backend; empty for a run that did not record them."""
        found: dict[str, dict[str, float]] = {}
        for _, record in _records(self.path, skip_outcomes=True):
            if isinstance(record, Costs):
                found.setdefault(record.backend, {}).update(record.seconds)
        return found

    def identity(self, backend: str) -> BackendId:
        """The identity of a backend of this run, by the name that its outcomes carry."""
        record = self.backends.get(backend)
        return BackendId(name=backend) if record is None else record.id

    def source(self, outcome: Outcome) -> str | None:
        """``file:line`` of the adapter's code that an outcome is of, None where it is not known."""
        record = self.backends.get(outcome.backend)
        return None if record is None else record.source(outcome.op)


def discard(folder: Path | str) -> None:
    """Remove the run that ``folder`` holds, and nothing else in it. Raises ``UsageError`` while it is being written."""
    path = Path(folder) / FILE
    if not path.exists():
        return
    lock = _Lock(Path(folder))
    try:
        with _disk_errors(path, "removed"):
            path.unlink()
    finally:
        lock.release()


def read_run(folder: Path | str) -> Run:
    """The run in ``folder`` (or the file itself). Raises ``UsageError`` that names the file and line at fault."""
    path = _file_of(folder)
    header: Header | None = None
    footer: Footer | None = None
    backends: dict[str, BackendRecord] = {}
    workers: dict[str, WorkerRecord] = {}
    for number, record in _records(path, skip_outcomes=True):
        if isinstance(record, Header) and header is None:
            _check_schema(record, path, number)
            header = record
            backends = {each.name: each for each in record.backends}
        elif isinstance(record, BackendRecord):
            backends[record.name] = record
        elif isinstance(record, WorkerRecord):
            workers[record.name] = record
        elif isinstance(record, Footer):
            footer = record
    if header is None:
        raise UsageError("no header", place=Place(path, 1), hint="not a results file, or an empty one: run again")
    truncated = footer is None or not _ends_with_newline(path)
    return Run(path, header, backends, footer, truncated, workers)


def _cut_back(path: Path) -> tuple[Header, frozenset[UnitKey]] | None:
    """Cut off what is incomplete; the header and the complete units, or ``None`` where not even a header is left.

    Units are written contiguously, so only the last one of a file without a footer can be in part: it is redone.
    """
    header: Header | None = None
    footer: Footer | None = None
    done: set[UnitKey] = set()
    last: UnitKey | None = None
    position = end_of_units = 0  # bytes: the end of the line before, and of the last line that is not a part of `last`
    for number, line in _lines(path):
        record = _decode(path, number, line, decode_record)
        if record is None:
            break
        if isinstance(record, Header) and header is None:
            _check_schema(record, path, number, writing=True)
            header = record
        if isinstance(record, Footer):
            footer = record
            break
        # What the register says names a unit, and is not one: it goes with the unit that it stands behind.
        if isinstance(record, Outcome) and record.check != "register" and record.unit != last:
            if last is not None:
                done.add(last)
            last, end_of_units = record.unit, position
        position += len(line)
    if footer is not None and footer.complete:
        raise UsageError(f"the run in {path.parent} is complete", hint="there is nothing to resume: start a new run")
    if footer is not None and last is not None:  # an orderly interruption ends with a complete unit
        done.add(last)
        last = None
    with _disk_errors(path, "cut back"):
        os.truncate(path, (position if last is None else end_of_units) if header else 0)
    return None if header is None else (header, frozenset(done))


def _file_of(folder: Path | str) -> Path:
    path = Path(folder)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise UsageError(f"no run in {folder}", hint=f"name a folder that holds {FILE}")
    return path


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with _disk_errors(path, "read"), path.open("rb") as file:
        yield from enumerate(file, 1)


class _Kind(msgspec.Struct):
    record: str = ""
    schema: int = SCHEMA


_kind = msgspec.json.Decoder(_Kind)


def decoder_of(path: Path) -> Callable[[bytes], Record]:
    """What reads the lines of a results file, by the schema that its header names."""
    for _, line in _lines(path):
        try:
            former = _kind.decode(line).schema == FORMER
        except (msgspec.DecodeError, UnicodeDecodeError):
            former = False
        return decode_former if former else decode_record
    return decode_record


def _records(path: Path, *, skip_outcomes: bool = False) -> Iterator[tuple[int, Record]]:
    """Line numbers and records; a last line that is cut off is left out."""
    decode = decoder_of(path)
    for number, line in _lines(path):
        if skip_outcomes and line.startswith(OUTCOME) and line.endswith(b"}\n"):
            continue
        record = _decode(path, number, line, decode)
        if record is not None:
            yield number, record


def _decode(path: Path, number: int, line: bytes, decode: Callable[[bytes], Record]) -> Record | None:
    """The record of a line; ``None`` for a line that is cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this line is damaged: {error}",
            place=Place(path, number),
            hint="restore the file, or delete the line: its outcomes are then missing from the report",
        ) from None


def _check_schema(header: Header, path: Path, number: int, *, writing: bool = False) -> None:
    if header.schema == SCHEMA or (header.schema == FORMER and not writing):
        return
    able = f"writes schema {SCHEMA}" if writing else f"reads schemas {FORMER} and {SCHEMA}"
    raise UsageError(
        f"results of schema {header.schema}, and this version {able}",
        place=Place(path, number, "schema"),
        hint="use the version of the suite that wrote it, or run again into another folder",
    )


def _ends_with_newline(path: Path) -> bool:
    with _disk_errors(path, "read"), path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


@contextlib.contextmanager
def _disk_errors(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HarnessError(f"{path} cannot be {done}: {error.strerror or error}") from error


class _Lock:
    """Holds a folder for one run; the system gives it free when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._release: Callable[[], None] | None = None
        try:
            import fcntl
        except ImportError:  # no such locks on this system: two runs in one folder are the user's to avoid
            return
        with _disk_errors(self._path, "written"):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise UsageError(
                f"another run is writing to {folder}", hint="wait for its end, or name another output folder"
            ) from None
        self._release = lambda: os.close(descriptor)

    def release(self) -> None:
        """Remove the lock file, and let go."""
        if self._release is not None:
            self._path.unlink(missing_ok=True)
            self._release()
            self._release = None

"""The file of a run: written block by block, locked against a second run, read back, cut back and resumed."""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from conformance.disk import disk_errors, make_folder
from conformance.model.backend import BackendRecord
from conformance.model.errors import HarnessError, Place, UsageError
from conformance.model.execution import ExecutionEvidence
from conformance.model.outcome import Outcome, UnitKey, stands_apart
from conformance.model.records import (
    SCHEMA,
    BlockRecord,
    Costs,
    Footer,
    Header,
    WorkerRecord,
    decode_record,
    encode_record,
)
from conformance.plain import command_line
from conformance.results.scan import Scan, decoder_of, lines_of

__all__ = ["FILE", "Run", "Writer", "discard", "read_run"]

FILE = "outcomes.jsonl"
LOCK = ".lock"
#: A folder may be a stranger's: what is opened for writing must not be a link to another place.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # for what is not a file
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | _NOFOLLOW


class Writer:
    """Writes a run into ``folder`` (made if need be), each block at once, with its checksum behind it.

    What was handed over is in the file when a method returns, however the process ends after that. With ``resuming``
    it goes on with the run that the folder holds: ``done`` are the units that need not be done again, ``header`` is the
    first one's. ``counts`` are the verdicts in the file. ``command`` completes the run: the hint at a full disk.

    Raises ``UsageError`` for a folder that holds a run (or, resuming, a complete one), in which another run is writing,
    or whose file is a link to another place; ``HarnessError`` when the disk refuses.
    """

    def __init__(self, folder: Path | str, header: Header, *, resuming: bool = False, command: str = "") -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE
        self.done: frozenset[UnitKey] = frozenset()
        self.header = header = msgspec.structs.replace(header, blocks=True)
        self.counts: Counter[str] = Counter()
        make_folder(self.folder)
        self._hint = f"make room, and complete the run: {command}" if command else "make room, and begin again"
        self._file = -1
        self._lock: _Lock | None = _Lock(self.folder)
        try:
            self._open(resuming)
            if self.header is header:
                self._append(encode_record(header))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def describe(self, record: BackendRecord | WorkerRecord | Costs) -> None:
        """Record a backend that has come up, or why it has not; a worker; or what cases have cost."""
        self._append(encode_record(record))

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Write the outcomes of whole units as one block: a run that is cut off within loses no more than it."""
        outcomes = tuple(outcomes)
        self.append(b"".join(map(encode_record, outcomes)), Counter(each.verdict for each in outcomes))

    def append(self, lines: bytes, verdicts: Counter[str]) -> None:
        """Write encoded outcomes, as :meth:`write` does; ``verdicts`` counts them."""
        if lines:
            self._append(lines)
            self.counts += verdicts

    def finish(self, footer: Footer) -> None:
        """Write the footer, whose counts are those of the file, and close, with everything on the disk."""
        self._append(encode_record(msgspec.structs.replace(footer, counts=dict(self.counts))))
        with disk_errors(self.path, "written"):
            os.fsync(self._file)
        self.close()

    def close(self) -> None:
        """Close the file and give the folder free; a run without a footer is truncated and can be resumed."""
        file, self._file = self._file, -1
        lock, self._lock = self._lock, None
        try:
            if file >= 0:
                with disk_errors(self.path, "written"):
                    os.close(file)
        finally:
            if lock is not None:
                lock.release()

    def _open(self, resuming: bool) -> None:
        loose: BlockRecord | None = None
        if self._holds_a_run():
            if not resuming:
                hint = "name another output folder, add --replace, or go on with that run by `conformance run --resume`"
                raise UsageError(f"{self.folder} already holds a run", hint=hint)
            kept = _cut_back(self.path)
            self.header, self.done, self.counts = kept.header or self.header, kept.done, kept.counts
            loose = kept.loose
        with disk_errors(self.path, "written"):
            # Unbuffered: a block is one write, and nothing is left to be lost.
            self._file = os.open(self.path, _APPEND, 0o644)
        if loose is not None:
            self._put(encode_record(loose))

    def _holds_a_run(self) -> bool:
        """Whether there is a file that holds anything; UsageError for a link, a pipe or a folder in its place."""
        with disk_errors(self.path, "written"):
            try:
                found = os.lstat(self.path)
            except FileNotFoundError:
                return False
        if not stat.S_ISREG(found.st_mode):
            what = "a link to another place" if stat.S_ISLNK(found.st_mode) else "not a file"
            raise UsageError(f"{self.path} is {what}", hint="remove it, or name another output folder")
        return found.st_size > 0

    def _append(self, lines: bytes) -> None:
        """Write lines, and the block behind them."""
        self._put(lines + encode_record(_block(lines)))

    def _put(self, block: bytes) -> None:
        if self._file < 0:
            raise HarnessError(f"{self.path} has been closed")
        rest = memoryview(block)
        with disk_errors(self.path, "written", self._hint):
            while rest:
                rest = rest[os.write(self._file, rest) :]
            there = None
            with contextlib.suppress(FileNotFoundError):
                there = os.lstat(self.path)
        if there is None or not os.path.samestat(os.fstat(self._file), there):
            raise HarnessError(
                f"{self.path} was removed or replaced while the run was writing it\n"
                "  hint: what it held is lost; run again, with --output for a folder that nothing else clears"
            )


@dataclass(frozen=True)
class Run:
    """A run as read. ``truncated``: it has no footer, or was interrupted and is cut off; such a run can be resumed.

    A footer says how many outcomes there are: nothing but its checksum can be missing behind it.
    ``counts`` are the verdicts of its outcomes; ``costs`` the seconds of each case, by backend, empty for a run that
    did not record them; ``deaths`` how often the process of a backend ended, or had to be ended, and ``restarts`` how
    often another one was started; ``modes`` how its calls were executed, as far as that was recorded; ``repeated`` the
    numbers of lines that say again what an earlier one says of the same unit: they are left out of ``outcomes``.
    """

    path: Path
    header: Header
    backends: dict[str, BackendRecord]
    footer: Footer | None
    truncated: bool
    workers: dict[str, WorkerRecord]
    counts: dict[str, int]
    costs: dict[str, dict[str, float]]
    deaths: dict[str, int]
    restarts: dict[str, int]
    modes: dict[str, ExecutionEvidence] = field(default_factory=dict)
    repeated: frozenset[int] = frozenset()

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes in file order, read as they are asked for."""
        decode = decoder_of(self.path)
        for number, line in enumerate(lines_of(self.path), 1):
            if line.endswith(b"\n") and number not in self.repeated:
                record = decode(line)
                if isinstance(record, Outcome):
                    yield record

    def source(self, outcome: Outcome) -> str | None:
        """``file:line`` of the adapter's code that an outcome is of, None where it is not known."""
        record = self.backends.get(outcome.backend)
        return None if record is None else record.source(outcome.op)


def discard(folder: Path | str) -> None:
    """Remove the run that ``folder`` holds, and nothing else in it. Raises ``UsageError`` while it is being written."""
    path = Path(folder) / FILE
    if not os.path.lexists(path):
        return
    lock = _Lock(Path(folder))
    try:
        with disk_errors(path, "removed"):
            path.unlink()
    finally:
        lock.release()


def read_run(folder: Path | str) -> Run:
    """The run in ``folder`` (or the file itself), every line of it checked.

    Raises ``UsageError`` that names the file and line at fault, ``HarnessError`` where the disk refuses.
    """
    path = _file_of(folder)
    scan = Scan(path)
    if scan.header is None:
        raise UsageError(
            "no header",
            place=Place(path, 1),
            hint="not a results file, or one that was cut off before anything was recorded: run again with --replace",
        )
    return Run(
        path,
        scan.header,
        scan.backends,
        scan.footer,
        scan.footer is None or (scan.cut and not scan.footer.complete),
        scan.workers,
        dict(scan.counts),
        scan.costs,
        +scan.deaths,
        +scan.restarts,
        scan.modes,
        frozenset(scan.repeated),
    )


@dataclass(frozen=True)
class _Kept:
    """What is left of a run that is resumed; ``loose`` is the block that its last lines lack, if any."""

    header: Header | None
    done: frozenset[UnitKey]
    counts: Counter[str]
    loose: BlockRecord | None


def _cut_back(path: Path) -> _Kept:
    """Cut off what is incomplete, which is all where not even a header is left.

    Units are written contiguously, and whole before a block: only the last one behind it can be in part, and is redone.
    """
    scan = Scan(path)
    if scan.header is None:
        with disk_errors(path, "cut back"):
            os.truncate(path, 0)
        return _Kept(None, frozenset(), Counter(), None)
    if scan.header.schema != SCHEMA:
        raise UsageError(
            f"results of schema {scan.header.schema}, and this version writes schema {SCHEMA}",
            place=Place(path, 1, "schema"),
            hint="use the version of the suite that wrote it, or run again into another folder",
        )
    if scan.footer is not None and scan.footer.complete:
        command = command_line("conformance", "report", path.parent, "--output", "DIR")
        raise UsageError(
            f"the run in {path.parent} is complete",
            hint=f"nothing is left to do; `{command}` writes its summary and pages",
        )
    tail = [line for line in lines_of(path, scan.sealed, scan.end) if line.endswith(b"\n")]
    kept, units, counts = len(tail), set(scan.units), Counter(scan.counts)
    if scan.footer is None:  # otherwise the run was interrupted in order, between two units
        kept, unit = _last_unit(tail)
        units.discard(unit)
        for number, line in enumerate(tail[kept:], scan.lines + kept + 1):
            record = decode_record(line)
            if isinstance(record, Outcome) and number not in scan.repeated:
                counts[record.verdict] -= 1
    lines = b"".join(tail[:kept])
    with disk_errors(path, "cut back"):
        os.truncate(path, scan.sealed + len(lines))
    return _Kept(scan.header, frozenset(units), +counts, _block(lines) if lines else None)


def _last_unit(tail: list[bytes]) -> tuple[int, UnitKey | None]:
    """Where the last unit begins among some lines, and which it is; their number and None where there is none."""
    begin, unit = len(tail), None
    for place, record in enumerate(map(decode_record, tail)):
        if isinstance(record, Outcome) and not stands_apart(record) and record.unit != unit:
            begin, unit = place, record.unit
    return begin, unit


def _block(lines: bytes) -> BlockRecord:
    """The block that stands behind some lines."""
    return BlockRecord(lines=lines.count(b"\n"), crc32=zlib.crc32(lines))


def _file_of(folder: Path | str) -> Path:
    path = Path(folder)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise UsageError(f"no run in {folder}", hint=f"name a folder that holds {FILE}")
    return path


class _Lock:
    """Holds a folder for one run; the system gives it free when the process ends, however it ends.

    The file is removed while it is held. Whoever has opened it before that holds what has no name any more, and takes
    the one that is there now.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._file = -1
        try:
            import fcntl
        except ImportError:  # no such locks on this system: two runs in one folder are the user's to avoid
            return
        while self._file < 0:
            file = self._opened()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                raise UsageError(
                    f"another run is writing to {folder}", hint="wait for its end, or name another output folder"
                ) from None
            except OSError:  # nor on this file system
                os.close(file)
                return
            if self._is_there(file):
                self._file = file
            else:
                os.close(file)

    def _opened(self) -> int:
        with disk_errors(self._path, "opened"):
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | _NOFOLLOW | _NONBLOCK, 0o644)
            if stat.S_ISREG(os.fstat(file).st_mode):
                return file
        os.close(file)
        raise UsageError(f"{self._path} is not a file", hint="remove it, or name another output folder")

    def _is_there(self, file: int) -> bool:
        """Whether an open file is the one of that name."""
        try:
            return os.path.samestat(os.fstat(file), os.lstat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Remove the lock file, and let go."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                if self._is_there(self._file):
                    self._path.unlink()
            os.close(self._file)
            self._file = -1

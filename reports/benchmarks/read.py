"""Reading benchmarks.json: pytest-benchmark's container with the suite's own fields in ``extra_info``."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import msgspec

from conformance.bench.record import SCHEMA, Head, Record
from conformance.disk import contents
from conformance.model.errors import Place, UsageError, line_of_json, problem_and_key
from conformance.reports.benchmarks.records import Benchmarks, Machine, Timing
from conformance.reports.benchmarks.upgrade import schema_of, upgraded

__all__ = ["FILE", "PACKED", "find_benchmarks", "parse_benchmarks", "read_benchmarks"]

FILE = "benchmarks.json"
PACKED = f"{FILE}.gz"
MOST_BYTES = 256 << 20
#: Seconds that a call can take: beyond them a file is damaged, and ratios overflow.
LEAST, MOST = 1e-12, 1e9


class _Stats(msgspec.Struct):
    data: tuple[float, ...]


class _FileEntry(msgspec.Struct):
    extra_info: Timing
    stats: _Stats


class _File(msgspec.Struct):
    benchmarks: list[_FileEntry]
    conformance: Head
    not_timed: tuple[Record, ...] = ()
    machine_info: dict[str, Any] = {}
    commit_info: dict[str, Any] = {}


def find_benchmarks(run: Path) -> Path | None:
    """The benchmarks file that ``run`` is or holds, plain or, as published ones are, gzipped; ``None`` without one."""
    if run.is_file():
        return run
    return next((run / name for name in (FILE, PACKED) if (run / name).is_file()), None)


def read_benchmarks(run: Path) -> Benchmarks:
    """Read the benchmarks of a run: its folder, or the file itself.

    Raises UsageError, naming file and key, where there is none or it cannot be used.
    """
    path = find_benchmarks(run)
    if path is None:
        raise UsageError(f"{run} holds no {FILE}", hint="name a folder that `conformance bench` has written")
    try:
        text = contents(path, MOST_BYTES)
        if path.suffix == ".gz":
            with gzip.open(io.BytesIO(text)) as unpacked:
                text = unpacked.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError("not a whole gzip file", place=Place(path), hint="fetch it again, or unpack it") from None
    if len(text) > MOST_BYTES:
        raise UsageError(f"larger than {MOST_BYTES >> 20} MiB when unpacked", place=Place(path), hint="run again")
    return parse_benchmarks(text, path)


def parse_benchmarks(text: bytes, path: Path | str) -> Benchmarks:
    """Read the bytes of a benchmarks file; ``path`` is for messages. Raises UsageError."""
    whole = _decoded(text, path)
    _check_schema(schema_of(whole), path)
    try:
        file = msgspec.convert(upgraded(whole), _File)
    except msgspec.ValidationError as error:
        raise _invalid(error, path) from None
    timings = tuple(_timing(entry, number, path) for number, entry in enumerate(file.benchmarks))
    _check_replicates(timings, path)
    head = file.conformance
    commit = head.commit or file.commit_info.get("id")
    return Benchmarks(
        path=str(path),
        started=head.started,
        commit=commit if isinstance(commit, str) else None,
        machine=_machine(head, file.machine_info),
        head=head,
        timings=timings,
        not_timed=file.not_timed,
    )


def _decoded(text: bytes, path: Path | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise _not_json(error, text, path) from None
    except UnicodeDecodeError as error:
        problem, hint = f"not UTF-8: {error.reason}", "copy it again as it was written, or run again"
    except RecursionError:
        problem, hint = "nested too deeply", "no benchmark is: look at what wrote it"
    raise UsageError(problem, place=Place(path), hint=hint)


def _check_schema(schema: int, path: Path | str) -> None:
    if schema < 1:
        problem, hint = f"not a schema: {schema}", "it counts from 1: restore the file, or run the benchmarks again"
    elif schema > SCHEMA:
        problem, hint = f"written by a newer suite (schema {schema}, this one reads {SCHEMA})", "update the suite"
    else:
        return
    raise UsageError(problem, place=Place(path, key="conformance.schema"), hint=hint)


def _timing(entry: _FileEntry, number: int, path: Path | str) -> Timing:
    data, key = entry.stats.data, f"benchmarks[{number}].stats.data"
    if not data:
        hint = "an entry without times belongs in not_timed"
        raise UsageError("no round was timed", place=Place(path, key=key), hint=hint)
    for place, seconds in enumerate(data):
        if not LEAST <= seconds <= MOST:
            raise UsageError(
                f"{seconds!r} is not a duration",
                place=Place(path, key=f"{key}[{place}]"),
                hint=f"durations are seconds, from {LEAST:g} to {MOST:g}",
            )
    return msgspec.structs.replace(entry.extra_info, data=data)


def _check_replicates(timings: tuple[Timing, ...], path: Path | str) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for number, timing in enumerate(timings):
        twin = seen.setdefault((timing.key, timing.replicate), number)
        if twin != number:
            raise UsageError(
                f"replicate {timing.replicate} of {timing.key} stands here and at benchmarks[{twin}]",
                place=Place(path, key=f"benchmarks[{number}]"),
                hint="each replicate is one process: number them, or keep two runs in two files",
            )


def _machine(head: Head, info: dict[str, Any]) -> Machine:
    """The suite's own words on the machine, or else pytest-benchmark's."""
    environment = head.environment
    cpu = info["cpu"] if isinstance(info.get("cpu"), dict) else {}
    cores = environment.get("cores")
    usable = cores.get("usable") if isinstance(cores, dict) else cores
    usable = cpu.get("count") if usable is None else usable
    name = environment.get("cpu") or cpu.get("brand_raw") or info.get("processor") or info.get("machine")
    return Machine(
        cpu=" with ".join([str(name or "unknown processor"), *filter(None, head.devices.values())]),
        cores=usable if isinstance(usable, int) else None,
        threads=head.threads,
    )


def _invalid(error: msgspec.ValidationError, path: Path | str) -> UsageError:
    problem, key = problem_and_key(error)
    return UsageError(
        problem,
        place=Place(path, key=key),
        hint=f"{FILE} is what `conformance bench` writes: do not edit it, or run the benchmarks again",
    )


def _not_json(error: msgspec.DecodeError, text: bytes, path: Path | str) -> UsageError:
    line, is_cut_off = line_of_json(error, text)
    if is_cut_off:
        problem = "the file is cut off" if text.strip() else "the file is empty"
        hint = "the run was interrupted while it wrote: run the benchmarks again"
    else:
        problem, hint = f"not JSON: {error}", "run the benchmarks again"
    return UsageError(problem, place=Place(path, line=line), hint=hint)

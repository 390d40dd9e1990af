"""Reading benchmarks.json: pytest-benchmark's container with the suite's own fields in ``extra_info``."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import msgspec

from conformance.model.errors import Place, UsageError
from conformance.reports.benchmarks.records import Benchmarks, Machine, NotTimed, Timing

__all__ = ["FILE", "PACKED", "find_benchmarks", "parse_benchmarks", "read_benchmarks"]

FILE = "benchmarks.json"
PACKED = f"{FILE}.gz"
#: Seconds of a call that any clock and any patience can tell: beyond them a file is damaged, and ratios overflow.
LEAST, MOST = 1e-12, 1e9
#: Raised whenever a reader of the older form would misread the newer one.
SCHEMA = 1


class _Stats(msgspec.Struct):
    data: list[float]


class _Entry(msgspec.Struct):
    extra_info: msgspec.Raw
    stats: _Stats
    name: str = ""


class _Suite(msgspec.Struct):
    schema: int = SCHEMA
    suite: str = ""
    commit: str | None = None
    started: str = ""
    environment: dict[str, Any] = {}
    devices: dict[str, str] = {}
    roof: dict[str, Any] = {}
    roof_range: dict[str, Any] = {}
    variables: dict[str, str] = {}
    seed: int | None = None
    threads: int | None = None


class _File(msgspec.Struct):
    benchmarks: list[_Entry]
    conformance: _Suite | None = None
    not_timed: list[NotTimed] = []
    machine_info: dict[str, Any] = {}
    commit_info: dict[str, Any] = {}
    datetime: str = ""


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
        text = path.read_bytes()
        if path.suffix == ".gz":
            text = gzip.decompress(text)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError("not a whole gzip file", place=Place(path), hint="fetch it again, or unpack it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return parse_benchmarks(text, path)


def parse_benchmarks(text: bytes, path: Path | str) -> Benchmarks:
    """Read the bytes of a benchmarks file; ``path`` is for messages. Raises UsageError."""
    try:
        whole = msgspec.json.decode(text, type=_File)
    except msgspec.ValidationError as error:
        raise _invalid(error, path) from None
    except msgspec.DecodeError as error:
        raise _not_json(error, text, path) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"not UTF-8: {error.reason}", place=Place(path), hint="copy it again as it was written, or run again"
        ) from None
    except RecursionError:
        raise UsageError(
            "nested too deeply", place=Place(path), hint="no benchmark is: look at what wrote it"
        ) from None
    suite = whole.conformance or _Suite()
    if suite.schema < 1:
        raise UsageError(
            f"no schema: {suite.schema}",
            place=Place(path, key="conformance.schema"),
            hint="it counts from 1: restore the file, or run the benchmarks again",
        )
    if suite.schema > SCHEMA:
        raise UsageError(
            f"written by a newer suite (schema {suite.schema}, this one reads {SCHEMA})",
            place=Place(path, key="conformance.schema"),
            hint="update the suite",
        )
    timings = tuple(_timing(entry, number, path) for number, entry in enumerate(whole.benchmarks))
    _no_twins(timings, path)
    commit = suite.commit or whole.commit_info.get("id")
    return Benchmarks(
        path=str(path),
        started=suite.started or whole.datetime,
        suite=suite.suite,
        commit=commit if isinstance(commit, str) else None,
        machine=_machine(suite, whole.machine_info, timings),
        environment=suite.environment,
        roof=suite.roof,
        roof_range=suite.roof_range,
        variables=suite.variables,
        seed=suite.seed,
        timings=timings,
        not_timed=tuple(whole.not_timed),
    )


def _timing(entry: _Entry, number: int, path: Path | str) -> Timing:
    where = f"benchmarks[{number}]"
    try:
        timing = msgspec.json.decode(entry.extra_info, type=Timing)
    except msgspec.ValidationError as error:
        raise _invalid(error, path, f"{where}.extra_info") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # what the first pass over the file did not look into
        raise UsageError(
            f"damaged: {error}", place=Place(path, key=f"{where}.extra_info"), hint="run the benchmarks again"
        ) from None
    data = tuple(entry.stats.data)
    if not data:
        raise UsageError(
            "no round was timed",
            place=Place(path, key=f"{where}.stats.data"),
            hint="an entry without times belongs in not_timed",
        )
    for place, seconds in enumerate(data):
        if not LEAST <= seconds <= MOST:
            raise UsageError(
                f"{seconds!r} is no duration",
                place=Place(path, key=f"{where}.stats.data[{place}]"),
                hint=f"durations are seconds, from {LEAST:g} to {MOST:g}",
            )
    return msgspec.structs.replace(timing, data=data)


def _no_twins(timings: tuple[Timing, ...], path: Path | str) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for number, timing in enumerate(timings):
        twin = seen.setdefault((timing.key, timing.replicate), number)
        if twin != number:
            raise UsageError(
                f"replicate {timing.replicate} of {timing.key} stands here and at benchmarks[{twin}]",
                place=Place(path, key=f"benchmarks[{number}]"),
                hint="each replicate is one process: number them, or keep two runs in two files",
            )


def _machine(suite: _Suite, info: dict[str, Any], timings: tuple[Timing, ...]) -> Machine:
    environment = suite.environment
    cpu = info.get("cpu") if isinstance(info.get("cpu"), dict) else {}
    cores = environment.get("cores")
    usable = cores.get("usable") if isinstance(cores, dict) else cores
    if usable is None and cpu:
        usable = cpu.get("count")
    name = environment.get("cpu") or (cpu.get("brand_raw") if cpu else None) or info.get("processor")
    threads = suite.threads or next((timing.threads for timing in timings if timing.threads), None)
    return Machine(
        cpu=" with ".join(
            [str(name or info.get("machine") or "unknown processor"), *filter(None, suite.devices.values())]
        ),
        cores=usable if isinstance(usable, int) else None,
        threads=threads,
    )


def _invalid(error: msgspec.ValidationError, path: Path | str, inside: str = "") -> UsageError:
    """msgspec says ``problem - at `$.a.b[...]```: the path becomes the place's key."""
    problem, _, where = str(error).partition(" - at `")
    key = re.sub(r"^\$\.?", "", where.rstrip("`")) or None
    full = ".".join(part for part in (inside, key) if part) or None
    return UsageError(
        problem[:1].lower() + problem[1:],
        place=Place(path, key=full),
        hint=f"{FILE} is what `conformance bench` writes: do not edit it, or run the benchmarks again",
    )


def _not_json(error: msgspec.DecodeError, text: bytes, path: Path | str) -> UsageError:
    if not text.strip() or "truncated" in str(error):
        return UsageError(
            "the file is cut off" if text.strip() else "the file is empty",
            place=Place(path, line=text.count(b"\n") + 1),
            hint="the run was interrupted while it wrote: run the benchmarks again",
        )
    byte = re.search(r"byte (\d+)", str(error))
    line = text.count(b"\n", 0, int(byte[1])) + 1 if byte else None
    return UsageError(f"not JSON: {error}", place=Place(path, line=line), hint="run the benchmarks again")

"""Shards of one run, joined: a whole with its counts, and with what only a whole can say of the register."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path

import msgspec

from conformance.model.backend import BackendRecord
from conformance.model.errors import Place, UsageError, problem_and_key
from conformance.model.outcome import Outcome
from conformance.model.records import SCHEMA, Costs, Footer, Shard
from conformance.profiles.profile import Defect
from conformance.profiles.register import Evidence
from conformance.reports.columns import machine
from conformance.results.store import Run, Writer, read_run
from conformance.scratch import scratch

__all__ = ["Joined", "join"]

#: Outcomes that are written at once.
BLOCK = 1000


@dataclass(frozen=True)
class Joined:
    """Some runs, where those that are all the shards of a whole stand as that whole; ``notes`` say what is missing."""

    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()


def join(runs: Sequence[Run]) -> Joined:
    """``runs``, with a whole in place of the first of its shards; its file is temporary, and lives as long as it does.

    Shards belong together where suite, selection and partition are the same; of several that are the same part, the
    newest counts. Raises HarnessError where nothing can be written.
    """
    families: dict[tuple[int, bytes], dict[int, Run]] = {}
    for run in runs:
        if shard := _shard(run):
            parts = families.setdefault((shard.count, _family(run)), {})
            parts[shard.index] = max(run, parts.get(shard.index, run), key=lambda each: each.header.started)
    wholes: dict[tuple[int, bytes], Run] = {}
    notes = []
    for family, parts in families.items():
        missing = _missing(parts, family[0])
        if missing:
            missing += _others(parts, runs, family[0])
            notes.append(f"{missing}: shards are shown one by one, and nothing is said of stale register entries")
        else:
            wholes[family] = _whole([parts[index] for index in sorted(parts)])
    found: dict[Path, Run] = {}
    for run in runs:
        shown = wholes.get((shard.count, _family(run)), run) if (shard := _shard(run)) else run
        found.setdefault(shown.path, shown)
    return Joined(tuple(found.values()), tuple(notes))


def _shard(run: Run) -> Shard | None:
    """Which part of a whole a run is."""
    selected = run.header.selected
    return selected.shard if selected.partition else None


def _family(run: Run, *, cases: bool = True) -> bytes:
    """The same for all shards of a whole; without ``cases``, whatever the files of cases hold."""
    header = run.header
    left_out = {"shard", "costs", "max_memory", "timeout"} | (set() if cases else {"partition"})
    selection = {name: value for name, value in header.selection.items() if name not in left_out}
    files = header.case_files if cases else {}
    return msgspec.json.encode([header.suite, header.commit, selection, files], order="sorted")


def _others(parts: dict[int, Run], runs: Iterable[Run], count: int) -> str:
    """Which run would be one of the shards but for its cases, and the file in which they differ; empty for none."""
    one = next(iter(parts.values()))
    for run in runs:
        changed, shard = one.header.changed_file(run.header), _shard(run)
        if not changed or shard is None or shard.count != count:
            continue
        if _family(run, cases=False) == _family(one, cases=False):
            return f" ({run.path.parent} has other cases in {changed})"
    return ""


def _missing(parts: dict[int, Run], count: int) -> str:
    """What shards of ``count`` lack to be a whole; empty if nothing."""
    one = next(iter(parts.values()))
    if count > len(parts):
        gone = islice((str(Shard(index, count)) for index in range(1, count + 1) if index not in parts), 10)
        more = ", …" if count > len(parts) + 10 else ""
        return f"beside {one.path.parent} the shards {', '.join(gone)}{more} are missing"
    broken = [str(run.path.parent) for run in parts.values() if run.truncated]
    if broken:
        return f"{', '.join(broken)} is not complete: conformance run --resume DIR"
    versions: dict[str, set[str]] = {}
    for run in parts.values():
        for name, record in run.backends.items():
            if not record.error:
                versions.setdefault(name, set()).add(record.id.version)
    mixed = [f"{name} ({' and '.join(sorted(each))})" for name, each in versions.items() if len(each) > 1]
    return f"the shards beside {one.path.parent} are of several versions of {', '.join(mixed)}" if mixed else ""


def _whole(parts: Sequence[Run]) -> Run:
    with contextlib.ExitStack() as stack:
        run = read_run(_write_whole(parts, stack.enter_context(scratch())))
        weakref.finalize(run, stack.pop_all().close)
    return run


def _write_whole(parts: Sequence[Run], folder: Path) -> Path:
    """Write the run that the parts make up below ``folder``; where it is."""
    first, name = parts[0].header, parts[0].path.parent.name.rstrip("0123456789-_. ") or "shards"
    shards = [
        {"shard": run.header.selection["shard"], "started": run.header.started, "machine": machine(run.header)}
        for run in parts
    ]
    header = msgspec.structs.replace(
        first,
        schema=SCHEMA,
        started=max(run.header.started for run in parts),
        selection=first.selection | {"shard": None, "partition": "", "shards": shards},
        backends=[],
    )
    records = _records(parts)
    with Writer(folder / name, header) as writer:
        for record in records.values():
            writer.describe(record)
        for run in parts:
            for worker in run.workers.values():
                writer.describe(worker)
            for backend, costs in run.costs.items():
                ended, again = run.deaths.get(backend, 0), run.restarts.get(backend, 0)
                writer.describe(
                    Costs(backend=backend, seconds=costs, deaths=ended, restarts=again, mode=run.modes.get(backend))
                )
        evidence = {backend: Evidence(_register(record, parts)) for backend, record in records.items()}
        block: list[Outcome] = []
        for run in parts:
            for _, found in groupby(run.outcomes, key=attrgetter("unit")):
                block += (unit := [*found])
                if len(block) > BLOCK:
                    writer.write(block)
                    block = []
                backend = unit[0].backend
                if backend in evidence and unit[0].op not in records[backend].overridden:
                    for each in unit:
                        evidence[backend].add(each)
        # A shard without cases needed no backend.
        ran = [{name for name, each in run.backends.items() if not each.error} for run in parts if run.backends]
        stale = [each for backend in records if backend in set.intersection(*ran) for each in evidence[backend].stale()]
        writer.write([*block, *stale])
        seconds = sum(run.footer.seconds for run in parts if run.footer)
        memory = max((run.footer.memory or 0 for run in parts if run.footer), default=0)  # of the largest shard
        writer.finish(Footer(seconds=seconds, complete=True, memory=memory or None))
    return writer.folder


def _records(parts: Sequence[Run]) -> dict[str, BackendRecord]:
    """The backends of all parts; one that ran somewhere is shown as it ran."""
    found: dict[str, BackendRecord] = {}
    for run in parts:
        for name, record in run.backends.items():
            if name not in found or found[name].error:
                found[name] = record
    return found


def _register(record: BackendRecord, parts: Sequence[Run]) -> list[Defect]:
    try:
        return [msgspec.convert(each, Defect) for each in record.register]
    except msgspec.ValidationError as error:
        problem, key = problem_and_key(error)
        place = Place(parts[0].path, key=f"register of {record.name}" + (f": {key}" if key else ""))
        hint = "this file was not written by `conformance run`, or has been edited: run the shard again"
        raise UsageError(f"not an entry of a register: {problem}", place=place, hint=hint) from None

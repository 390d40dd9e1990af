"""Appending runs to the history: times of benchmarks, and verdict counts of conformance runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from conformance.model.errors import HarnessError
from conformance.plain import plain
from conformance.reports.benchmarks.cells import cells_of
from conformance.reports.benchmarks.read import read_benchmarks
from conformance.reports.history.database import History
from conformance.reports.merge import find_results, holds_times
from conformance.reports.relations import Relations
from conformance.results.store import read_run

__all__ = ["Added", "add_runs"]

Kind = Literal["benchmarks", "outcomes"]


@dataclass(frozen=True)
class Added:
    """What became of one file: ``new``, ``known`` (there, and unchanged), ``updated`` (it has grown), or ``smaller``.

    Of a ``smaller`` one the history has more already, as of a run that was resumed: it is left as it is.
    """

    file: Path
    kind: Kind
    run: str
    change: Literal["new", "known", "updated", "smaller"]


def add_runs(history: History, paths: Sequence[Path]) -> list[Added]:
    """Append every run below ``paths``, all or none; a run that is there already is not added again.

    A run is identified by when, where and of which commit it started, not by its folder: a copy is the same run, and a
    run that was resumed since takes the place of its former state, in whichever order the two come. Raises UsageError
    where a path holds no run.
    """
    found = []
    with history.transaction():
        for file in find_results(paths):
            found.append(_add(history, file, "benchmarks" if holds_times(file) else "outcomes"))
    return found


def _add(history: History, file: Path, kind: Kind) -> Added:
    facts, table, rows = _benchmarks(file) if kind == "benchmarks" else _outcomes(file)
    identity = "|".join(str(facts[name]) for name in ("started", "suite", "commit", "machine"))
    run = hashlib.sha256(f"{kind}|{identity}|{facts.pop('identified_by')}".encode()).hexdigest()[:16]
    digest = _digest(file)
    there = history.query("select digest from runs where run = ?", [run])
    if there and there[0]["digest"] == digest:
        return Added(file, kind, run, "known")
    if there and _size(table, rows) < _size(table, history.query(f"select * from {table} where run = ?", [run])):
        return Added(file, kind, run, "smaller")
    history.remove(run)
    history.insert("runs", [{"run": run, "kind": kind, **facts, "digest": digest, "source": plain(file)}])
    history.insert(table, [{"run": run, **row} for row in rows])
    return Added(file, kind, run, "updated" if there else "new")


def _size(table: str, rows: Sequence[dict[str, Any]]) -> int:
    """How much of a run there is: processes that were timed, or checks that were made."""
    return sum(row["processes" if table == "times" else "count"] or 0 for row in rows)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as open_:
            return hashlib.file_digest(open_, "sha256").hexdigest()
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error.strerror}") from None


def _benchmarks(file: Path) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    run = read_benchmarks(file)
    facts = {
        "started": run.started,
        "suite": run.head.suite,
        "commit": run.commit,
        "machine": str(run.machine),
        "identified_by": run.head.seed,
    }
    names = ("workload", "backend", "contract", "cache", "framework", "version", "mode", "dtype", "processes")
    numbers = ("seconds", "low", "high", "bandwidth_fraction", "error", "work")
    rows = [
        {name: getattr(cell, name) for name in names + numbers}
        | {"class": cell.judged.class_, "verdict": cell.judged.verdict}
        | {"memory": cell.peak_multiple, "first_call": cell.first_call_seconds}
        for cell in cells_of(run)
    ]
    return facts, "times", rows


def _outcomes(file: Path) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    run = read_run(file)
    header = run.header
    environment = header.environment
    cores = environment.get("cores")
    usable = cores.get("usable") if isinstance(cores, dict) else cores
    facts = {
        "started": header.started,
        "suite": header.suite,
        "commit": header.commit,
        "machine": f"{environment.get('cpu', 'unknown processor')}" + (f", {usable} cores" if usable else ""),
        "identified_by": sorted(header.selection.items(), key=str),
    }
    names = ("backend", "version", "verdict", "count")
    counts = Relations([run]).query(
        "select backend, version, verdict, count(*) from outcomes join columns on place = col group by all order by all"
    )
    return facts, "verdicts", [dict(zip(names, row, strict=True)) for row in counts]

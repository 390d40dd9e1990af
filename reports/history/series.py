"""Series from the history: a workload's times on a backend, and a backend's verdicts, over runs in order of time."""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.reports.history.changes import ChangePoint, change_points
from conformance.reports.history.database import History

__all__ = ["Point", "TimeSeries", "VerdictRow", "read_series", "read_verdicts"]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One run: ``seconds`` is the median over its processes, ``low … high`` its 95 % interval."""

    run: str
    started: str
    commit: str | None
    version: str | None
    seconds: float
    low: float | None
    high: float | None
    error: float | None
    verdict: str | None


class TimeSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The times of one workload × backend × contract × cache on one machine, the oldest first.

    ``work`` describes the workload's tensors: a workload that changed under its name is another series.
    ``changes`` is None where Apache Otava, which finds them, is not installed.
    """

    workload: str
    backend: str
    contract: str
    cache: str
    machine: str
    work: str
    points: tuple[Point, ...]
    changes: tuple[ChangePoint, ...] | None


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of one backend in one conformance run."""

    run: str
    started: str
    commit: str | None
    backend: str
    version: str
    counts: dict[str, int]


def read_series(history: History, workload: str | None = None, backend: str | None = None) -> list[TimeSeries]:
    """The series whose workload and backend hold these texts; other machines and other tensors are other series."""
    rows = history.query(
        'select t.*, r.started, r."commit", r.machine from times t join runs r using (run) '
        "where (? is null or contains(t.workload, ?)) and (? is null or contains(t.backend, ?)) "
        "order by t.workload, t.backend, t.contract, t.cache, r.machine, r.started, t.run",
        [workload, workload, backend, backend],
    )
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    names = ("workload", "backend", "contract", "cache", "machine", "work")
    for row in _with_work(rows):
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [
        TimeSeries(
            **dict(zip(names, key, strict=True)),
            points=tuple(Point(**{name: row[name] for name in Point.__struct_fields__}) for row in group),
            changes=change_points([row["seconds"] for row in group]),
        )
        for key, group in groups.items()
    ]


def _with_work(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs that were added before tensors were recorded count as those of the first that records them."""
    first: dict[tuple[str, str, str], str] = {}
    for row in rows:
        if row.get("work"):
            first.setdefault((row["workload"], row["contract"], row["cache"]), row["work"])
    return [
        row | {"work": row.get("work") or first.get((row["workload"], row["contract"], row["cache"]), "")}
        for row in rows
    ]


def read_verdicts(history: History, backend: str | None = None) -> list[VerdictRow]:
    """A row for each backend of each conformance run, by backend, the oldest first."""
    rows = history.query(
        'select r.run, r.started, r."commit", v.backend, v.version, v.verdict, v.count from verdicts v '
        "join runs r using (run) where (? is null or contains(v.backend, ?)) "
        "order by v.backend, r.started, r.run, v.version, v.verdict",
        [backend, backend],
    )
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["backend"], row["run"], row["version"])
        entry = found.setdefault(key, {**row, "counts": {}})
        entry["counts"][row["verdict"]] = row["count"]
    return [VerdictRow(**{name: each[name] for name in VerdictRow.__struct_fields__}) for each in found.values()]

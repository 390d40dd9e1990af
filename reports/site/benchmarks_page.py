"""Times from ``benchmarks.json`` beside a run's outcomes: medians of processes, and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.errors import Place, UsageError
from conformance.results.store import Run
from reports.site.drawing import span
from reports.site.text import duration, figure

__all__ = ["FILE", "benchmark_tables"]

FILE = "benchmarks.json"


class _Stats(msgspec.Struct):
    data: list[float] = []


class _Entry(msgspec.Struct):
    extra_info: dict[str, Any] = {}
    stats: _Stats | None = None


class _File(msgspec.Struct):
    benchmarks: list[_Entry] = []
    not_timed: list[dict[str, Any]] = []


def benchmark_tables(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A table for each workload, contract and cache state; empty where no run was timed.

    Raises UsageError for a file that is no benchmark file.
    """
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, Any]]]] = {}
    for path in dict.fromkeys(run.path.parent / FILE for run in runs):
        for info, data in _entries(path):
            key = tuple(str(info.get(name, "")) for name in ("workload", "contract", "cache"))
            name = f"{info.get('backend', '')} {info.get('version', '')}".strip()
            groups.setdefault(key, {}).setdefault(name, []).append({**info, "data": data})  # type: ignore[arg-type]
    return [_table(key, groups[key]) for key in sorted(groups)]


def _entries(path: Path) -> Iterable[tuple[dict[str, Any], list[float]]]:
    if not path.is_file():
        return
    try:
        read = msgspec.json.decode(path.read_bytes(), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(
            f"no benchmark results: {error}",
            place=Place(path),
            mend="run `conformance bench` again, or remove the file",
        ) from None
    for entry in read.benchmarks:
        yield entry.extra_info, [t for t in (entry.stats.data if entry.stats else []) if t > 0]
    for info in read.not_timed:
        yield info, []


def _table(key: tuple[str, str, str], backends: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    medians = {
        name: [statistics.median(each["data"]) for each in found if each["data"]] for name, found in backends.items()
    }
    every = [m for found in medians.values() for m in found]
    axis = (min(every), max(every)) if every else (1.0, 1.0)
    rows = [_row(name, backends[name], medians[name], axis) for name in backends]
    rows.sort(key=lambda row: (row["seconds"], row["backend"]))
    first = next(iter(backends.values()))[0]
    return {
        "workload": key[0],
        "contract": key[1],
        "cache": key[2],
        "shape": "×".join(map(str, first.get("shape") or ())),
        "dtype": str(first.get("dtype", "")),
        "low": duration(axis[0]),
        "high": duration(axis[1]),
        "rows": rows,
    }


def _row(name: str, found: list[dict[str, Any]], medians: list[float], axis: tuple[float, float]) -> dict[str, Any]:
    accuracy: dict[str, Any] = next((each["accuracy"] for each in found if isinstance(each.get("accuracy"), dict)), {})
    said = str(next((each.get("message") for each in found if each.get("message")), ""))
    status = str(next((each.get("status") for each in found if each.get("status") not in (None, "ok")), ""))
    row: dict[str, Any] = {
        "backend": name,
        "seconds": float("inf"),
        "status": status,
        "message": said,
        "accuracy": f"{accuracy.get('verdict', '')} {accuracy.get('class', '') or ''}".strip(),
        "ulp": figure(accuracy.get("ulp")),
        "roof": _percent(found, "roof_fraction"),
        "peak": _median(found, "peak_multiple"),
    }
    if medians:
        middle = statistics.median(medians)
        says = f"{duration(middle)}, between {duration(min(medians))} and {duration(max(medians))} over processes"
        row |= {
            "seconds": middle,
            "middle": duration(middle),
            "range": f"{duration(min(medians))} – {duration(max(medians))}",
            "processes": len(medians),
            "drawing": span(min(medians), middle, max(medians), axis, says),
        }
    return row


def _numbers(found: list[dict[str, Any]], name: str) -> list[float]:
    return [float(each[name]) for each in found if isinstance(each.get(name), int | float)]


def _percent(found: list[dict[str, Any]], name: str) -> str:
    numbers = _numbers(found, name)
    return f"{100 * statistics.median(numbers):.0f} %" if numbers else ""


def _median(found: list[dict[str, Any]], name: str) -> str:
    numbers = _numbers(found, name)
    return figure(statistics.median(numbers)) if numbers else ""

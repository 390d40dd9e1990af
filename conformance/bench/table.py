"""The table that ``conformance bench`` ends with: a row for each workload, contract, cache and backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import click

from conformance.bench.show import plain
from conformance.cli.tables import Row, write_rows

__all__ = ["print_table", "rows"]


def rows(document: Mapping[str, Any]) -> list[Row]:
    """One row each, the fastest first within a workload; a result that does not conform comes after those that do."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in document["benchmarks"]:
        groups.setdefault((each["group"], each["extra_info"]["backend"]), []).append(each)
    found = [_row(group, backend, entries) for (group, backend), entries in groups.items()]
    found += _untimed(document)
    return sorted(found, key=lambda row: (row["workload"], row["contract"], row["cache"], _rank(row)))


def _rank(row: Row) -> tuple[bool, bool, float]:
    seconds = row["seconds"]
    return (seconds is None, row["verdict"] not in ("pass", None), seconds or 0.0)


def _row(group: str, backend: str, entries: list[Mapping[str, Any]]) -> Row:
    workload, contract, cache = group.split("|")
    info = entries[0]["extra_info"]
    seconds = median(each["stats"]["median"] for each in entries)
    rate = info["floor_bytes"] / seconds
    kind = "copy" if contract == "forward+grad" else "read"
    roof = (info["roof"] or {}).get(kind)
    accuracy = info["accuracy"] or {}
    return {
        "workload": workload,
        "contract": contract,
        "cache": cache,
        "backend": backend,
        "seconds": seconds,
        "bytes_per_second": rate,
        "roof_fraction": rate / roof if roof else None,
        "class": accuracy.get("class"),
        "ratio": accuracy.get("ratio"),
        "verdict": accuracy.get("verdict"),
        "processes": len(entries),
        "status": "ok",
        "message": accuracy.get("message", ""),
    }


def _untimed(document: Mapping[str, Any]) -> list[Row]:
    """What could not be timed, each once."""
    blank = dict.fromkeys(("seconds", "bytes_per_second", "roof_fraction", "class", "ratio", "verdict"))
    found: dict[tuple[str, ...], Row] = {}
    for info in document["not_timed"]:
        key = tuple(info[name] for name in ("workload", "contract", "cache", "backend"))
        row = {"workload": key[0], "contract": key[1], "cache": key[2], "backend": key[3], **blank}
        found.setdefault(key, row | {"processes": 0, "status": info["status"], "message": info["message"]})
    return list(found.values())


def print_table(document: Mapping[str, Any], path: Path, style: str) -> None:
    """Write the rows to standard output as a table for people or as JSON; where the file is goes to standard error."""
    found = rows(document)
    if style == "json":
        write_rows(found, style, one="entry", several="entries")
    else:
        write_rows([_shown(row) for row in found], style, one="entry", several="entries")
    click.echo(f"written to {path}", err=True)


def _shown(row: Row) -> Row:
    note = plain(row["message"])
    if row["verdict"] in ("fail", "not run"):
        note = "wrong result: not ranked" if row["verdict"] == "fail" else "its class promises nothing here"
    return {
        "workload": row["workload"],
        "contract": row["contract"] + (" cold" if row["cache"] == "cold" else ""),
        "backend": row["backend"],
        "time": _duration(row["seconds"]) if row["seconds"] is not None else row["status"],
        "GB/s": _number(row["bytes_per_second"], 1e-9),
        "% of roof": _number(row["roof_fraction"], 100.0),
        "class": row["class"] or "",
        "error/tol": _number(row["ratio"], 1.0),
        "note": note,
    }


def _number(value: float | None, scale: float) -> str:
    return "" if value is None else f"{value * scale:.3g}"


def _duration(seconds: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"

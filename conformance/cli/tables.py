"""Rows as an aligned table of plain text, or as JSON."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from conformance.plain import json_text, on_terminal, say

__all__ = ["Row", "aligned", "cell", "write_rows"]

Row = dict[str, Any]
#: Columns that a table leaves out: long, or the same for nearly all rows. JSON has them.
ONLY_JSON = frozenset({"why", "file", "dtypes", "references", "details"})
#: A last column narrower than this is not wrapped.
NARROW = 24


def write_rows(rows: Sequence[Row], style: str, *, one: str, several: str) -> None:
    """Write ``rows``, which have the same keys, to standard output: ``table`` or ``json``.

    ``one`` and ``several`` are what a row and rows are called in the table's last line.
    """
    if style == "json":
        sys.stdout.write(json_text(rows))
        return
    if rows:
        columns = [key for key in rows[0] if key not in ONLY_JSON]
        body = [[cell(row[key]) for key in columns] for row in rows]
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        sys.stdout.write("\n".join(aligned([[key.replace("_", " ") for key in columns], *body], width)) + "\n\n")
    say(f"{len(rows)} {one if len(rows) == 1 else several}")


def cell(value: Any) -> str:
    """A value as the text of one cell; nothing for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {cell(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return "" if value is None else on_terminal(value)


def aligned(table: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Lines of a table whose columns start below each other; its last column is wrapped to ``width`` characters."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    start = sum(widths[:-1]) + 2 * (len(widths) - 1)
    lines = []
    for row in table:
        head = "".join(f"{cell:<{size + 2}}" for cell, size in zip(row[:-1], widths, strict=False))
        parts = [row[-1]] if width is None or width - start < NARROW else textwrap.wrap(row[-1], width - start) or [""]
        lines += [(head + parts[0]).rstrip(), *(" " * start + part for part in parts[1:])]
    return lines

"""Rows as an aligned table of plain text, or as JSON."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from conformance.plain import json_text, on_terminal, say

__all__ = ["Row", "aligned", "cell", "write_rows"]

Row = dict[str, Any]
#: Columns that a table leaves out: long, or the same for nearly all rows. JSON has them.
ONLY_JSON = frozenset({"why", "file", "dtypes", "references", "details", "documentation"})
#: No column is made narrower than its longest word, or than so many characters.
NARROW = 14


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
        width = _width()
        sys.stdout.write("\n".join(aligned([[key.replace("_", " ") for key in columns], *body], width)) + "\n\n")
    say(f"{len(rows)} {one if len(rows) == 1 else several}")


def _width() -> int | None:
    """Columns of the terminal; None where there is none."""
    if not sys.stdout.isatty():
        return None
    import shutil  # with it every archive format, for a listing that is piped more often than read

    return shutil.get_terminal_size().columns


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
    """Lines of a table whose columns start below each other; beyond ``width`` the widest are wrapped."""
    columns = list(zip(*table, strict=True))
    sizes = [max(map(len, column)) for column in columns]
    least = [min(NARROW, max((len(word) for each in column for word in each.split()), default=0)) for column in columns]
    while width is not None and sum(sizes) + 2 * len(sizes) - 2 > width and sizes != least:
        wide = [size if size > fewest else 0 for size, fewest in zip(sizes, least, strict=True)]
        sizes[wide.index(max(wide))] -= 1
    form = "".join(f"{{:<{size + 2}}}" for size in sizes)
    lines: list[str] = []
    for row in table:
        parts = [[c] if len(c) <= size else textwrap.wrap(c, size) for c, size in zip(row, sizes, strict=True)]
        lines += (form.format(*line).rstrip() for line in zip_longest(*parts, fillvalue=""))
    return lines

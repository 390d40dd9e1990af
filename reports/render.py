"""The three ways to show a table: on a terminal, as Markdown, and on a page.

Whatever a cell holds may have been written by a stranger: each way escapes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from conformance.model.verdicts import in_order
from conformance.plain import lines_on_terminal, on_terminal
from conformance.reports.columns import slug
from conformance.reports.escape import escape
from conformance.reports.table import Cell, Content, Counts, Links, Table
from conformance.reports.text import link, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

__all__ = ["STYLES", "content", "fits", "html", "markdown", "rich_table"]

#: The colours of verdicts on a terminal; others are dim.
STYLES = {
    "pass": "green",
    "fail": "bold red",
    "crash": "bold red",
    "timeout": "bold red",
    "unreproduced": "bold red",
    "error": "magenta",
    "stale": "yellow",
    "known": "yellow",
    "deviation": "cyan",
}


def _cell(given: Content | Cell) -> Cell:
    return given if isinstance(given, Cell) else Cell(given)


def _words(content: str | int | Links | None) -> str:
    if isinstance(content, Links):
        return ", ".join([*(text for text, _ in content.to), *(["…"] if content.more else [])])
    return "" if content is None else str(content)


# -- terminal ---------------------------------------------------------------------------------------------------------


def rich_table(table: Table, *, lines: bool = True, compact: bool = False) -> RichTable:
    """The table for rich, with lines between rows or without; nothing that a cell holds steers the terminal.

    ``compact``: without a frame, too.
    """
    import rich.box
    import rich.table
    from rich.text import Text

    made = rich.table.Table(
        title=Text(on_terminal(table.title)) if table.title else None, title_justify="left", show_lines=lines
    )
    for place, head in enumerate(table.head):
        words = _text(head).plain
        text = words.replace(" ", "\n", 1) if place and len(table.head) > 2 else words
        made.add_column(Text(text), overflow="fold", justify="right" if place in table.numbers else "left")
    for row in table.rows:
        made.add_row(*map(_text, row))
    if table.total:
        first, *others = map(_text, table.total)
        first.stylize("bold")
        made.add_row(first, *others)
    if compact:
        made.box, made.show_lines, made.pad_edge, made.padding = rich.box.SIMPLE_HEAD, False, False, (0, 1, 0, 0)
    return made


def fits(table: RichTable, console: Console) -> bool:
    """Whether the console is as wide as the table would like to be."""
    wide = console.options.update(max_width=1_000_000)
    return console.measure(table, options=wide).maximum <= console.width


def _text(given: Content | Cell) -> Text:
    from rich.text import Text

    cell = _cell(given)
    if isinstance(cell.content, Counts):
        parts = [Text(f"{n} {v}", style=STYLES.get(v, "dim")) for v, n in in_order(dict(cell.content.of))]
        return Text("\n").join(parts) if parts else Text("–")
    said = _words(cell.content)
    return Text(lines_on_terminal(f"{said}\n{cell.note}" if cell.note else said), style=STYLES.get(cell.mark, ""))


# -- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(table: Table) -> list[str]:
    """The lines of a table in Markdown."""
    lines = ["| " + " | ".join(map(_marked, table.head)) + " |", "|---" * len(table.head) + "|"]
    lines += ["| " + " | ".join(map(_marked, row)) + " |" for row in table.rows]
    if table.total:
        first, *others = map(_marked, table.total)
        lines.append("| " + " | ".join((f"**{first}**", *others)) + " |")
    return lines


def _marked(given: Content | Cell) -> str:
    cell = _cell(given)
    if isinstance(cell.content, Counts):
        parts = [f"**{n} {v}**" if v == "fail" else f"{n} {v}" for v, n in in_order(dict(cell.content.of))]
        return "<br>".join(parts) or "–"
    said = escape(_words(cell.content))
    match cell.mark:
        case "differs":
            return f"**≠** {said} ({escape(cell.note)})"
        case "declared":
            return f"*{said}*"
        case "loud":
            return f"**{said}**"
        case _:
            return f"{said}<br>{escape(cell.note)}" if cell.note else said


# -- pages ------------------------------------------------------------------------------------------------------------


def html(table: Table, root: str = "") -> Markup:
    """The table for a page; ``root`` leads from the page to the site's first folder."""
    head = Markup("").join(_element("th", each, place in table.numbers, root) for place, each in enumerate(table.head))
    rows = []
    for place, row in enumerate(table.rows):
        named = Markup(' id="{}"').format(table.names[place]) if table.names else ""
        rows.append(Markup("<tr{}>{}\n").format(named, _row(row, table.numbers, root)))
    foot = Markup("<tfoot><tr>{}</tr></tfoot>\n").format(_row(table.total, table.numbers, root)) if table.total else ""
    kind = Markup(' class="{}"').format(table.kind) if table.kind else ""
    return Markup(
        '<table{}>\n<caption class="hidden">{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n{}</table>'
    ).format(kind, visible(table.title), head, Markup("").join(rows), foot)


def _row(row: Sequence[Content | Cell], numbers: frozenset[int], root: str) -> Markup:
    cells = [_element("td" if place else "row", each, place in numbers, root) for place, each in enumerate(row)]
    return Markup("").join(cells)


def _element(kind: str, given: Content | Cell, right: bool, root: str) -> Markup:
    """A cell of a body (``td``), or one that heads its row (``row``) or its column (``th``)."""
    cell = _cell(given)
    data = Markup("").join(Markup(' data-{}="{}"').format(name, visible(value)) for name, value in cell.data.items())
    said = _linked(cell.content, cell.link, root, data) if cell.link else content(cell.content, root)
    note = Markup("").join(Markup("<small>{}</small>").format(visible(each)) for each in cell.note.split("\n") if each)
    classes = ["r"] * right + ([f"v-{slug(cell.mark.replace(' ', '-'))}"] if cell.mark else [])
    attributes = Markup(' id="{}"').format(visible(cell.name)) if cell.name else Markup("")
    attributes += Markup(' class="{}"').format(" ".join(classes)) if classes else ""
    if kind == "td" or (kind == "th" and not said):
        return Markup("<td{}>{}{}").format(attributes, said, note)
    return Markup('<th scope="{}"{}>{}{}').format("row" if kind == "row" else "col", attributes, said, note)


def _linked(given: Content, to: str, root: str, data: str = "") -> Markup:
    if to.startswith(("http://", "https://")):
        return link(to, _words(given) if not isinstance(given, Counts) else "")
    return Markup('<a href="{}{}"{}>{}</a>').format(
        "" if to.startswith("#") else root, visible(to), data, content(given, root)
    )


def content(given: Content, root: str) -> Markup:
    """What a cell holds, for a page."""
    if isinstance(given, Counts):
        each = Markup('<span class="n v-{}"><i>{}</i> {}</span>')
        parts = [each.format(verdict.replace(" ", "-"), f"{n:,}", verdict) for verdict, n in in_order(dict(given.of))]
        return Markup("").join(parts) or Markup('<span class="none">none</span>')
    if isinstance(given, Links):
        return Markup(", ").join([*(_linked(text, to, root) for text, to in given.to), *(["…"] * given.more)])
    return Markup("{}").format(f"{given:,}" if isinstance(given, int) else visible(given or ""))

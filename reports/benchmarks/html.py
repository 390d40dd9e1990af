"""The words and numbers of the offline page: what the Markdown report says, around the same pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from conformance.plain import blanked
from conformance.reports.benchmarks.cells import Cell
from conformance.reports.benchmarks.records import Benchmarks
from conformance.reports.benchmarks.tables import HEAD, NOTES, WORDS, about_lines, not_timed_lines, tables_of

__all__ = ["about_html", "tables_html"]


def about_html(run: Benchmarks) -> Markup:
    """On what machine, when and how it was timed."""
    return _each("<p>{}</p>", about_lines(run))


def tables_html(run: Benchmarks, cells: Sequence[Cell]) -> Markup:
    """A table for each workload, contract and cache; what was not timed, and how to read all this."""
    blocks = [_table(title, rows) for title, rows in tables_of(cells)]
    if run.not_timed:
        blocks.append(Markup("<h2>Not timed</h2>\n<ul>\n{}\n</ul>").format(_each("<li>{}</li>", not_timed_lines(run))))
    blocks.append(Markup("<h2>How to read this</h2>\n<ul>\n{}\n</ul>").format(_each("<li>{}</li>", NOTES)))
    return Markup("\n").join(blocks)


def _table(title: str, rows: Sequence[tuple[Cell, Sequence[str]]]) -> Markup:
    side = ['class="word"' if name in WORDS else "" for name in HEAD]
    head = Markup("").join(
        Markup('<th scope="col" {}>{}</th>').format(Markup(s), name) for s, name in zip(side, HEAD, strict=True)
    )
    body = []
    for cell, texts in rows:
        row = Markup("").join(
            Markup('<th scope="row" class="word">{}</th>' if name == "backend" else "<td {}>{}</td>").format(
                *([] if name == "backend" else [Markup(s)]), blanked(text)
            )
            for s, name, text in zip(side, HEAD, texts, strict=True)
        )
        body.append(Markup("<tr{}>{}</tr>").format(Markup(' class="wrong"') if cell.wrong else "", row))
    return Markup(
        '<h2>{0}</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table>\n'
        "<thead><tr>{1}</tr></thead>\n<tbody>\n{2}\n</tbody></table></div>"
    ).format(blanked(title), head, Markup("\n").join(body))


def _each(form: str, texts: Iterable[str]) -> Markup:
    return Markup("\n").join(Markup(form).format(blanked(text)) for text in texts)

"""A table as a value: what it says, apart from how a terminal, Markdown or a page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["AnyCell", "Cell", "Content", "Counts", "Links", "Table"]


@dataclass(frozen=True)
class Counts:
    """Verdicts and how often each was given."""

    of: Mapping[str, int]

    def __bool__(self) -> bool:
        return any(self.of.values())


@dataclass(frozen=True)
class Links:
    """Texts, each with where it leads; ``more`` says that there are others."""

    to: Sequence[tuple[str, str]]
    more: bool = False


#: What a cell holds. Whole numbers are counts; other numbers come as text, in the digits that they deserve.
Content = str | int | Counts | Links | None


@dataclass(frozen=True)
class Cell:
    """Content with what a page adds. ``link`` is an address, or a place in the site; ``note`` a second, smaller line.

    ``mark`` is the verdict whose colour it has, ``differs`` for what is not as the note says, ``declared`` for what is
    declared and was not observed, or ``loud`` for what must not be missed; ``name`` is the cell's own place in the
    page; ``data`` are attributes for the page's script.
    """

    content: Content
    link: str = ""
    note: str = ""
    mark: str = ""
    name: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


AnyCell = Content | Cell


@dataclass(frozen=True)
class Table:
    """``head`` names the columns; ``total`` is a last row that sums up the others; ``title`` says what it is.

    ``numbers`` are the columns whose cells stand to the right, by place. The first cell of a row is its head.
    """

    head: Sequence[AnyCell]
    rows: Sequence[Sequence[AnyCell]]
    title: str = ""
    total: Sequence[AnyCell] = ()
    numbers: frozenset[int] = frozenset()
    #: Names of the rows as places in a page, if they have any.
    names: Sequence[str] = ()
    #: How a page lays it out: a class of its style.
    kind: str = ""

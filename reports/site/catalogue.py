"""What the case files say: results name a case by its id, and a page shows the case itself."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from conformance.cases.load import Entry, Suite, read_suite
from conformance.cases.text import flow_text, keys_of
from conformance.cases.yaml12 import lines, read_text
from conformance.corpus.random_cases import random_case
from conformance.model.case import Flag
from conformance.places import CASES

__all__ = ["Catalogue"]

#: A case with more text than this is shown in part.
_MOST_LINES = 120
#: So is a random case, whose labels are numbers without a pattern.
_MOST_DRAWN_LINES = 40
_WIDTH = 100


class Catalogue:
    """The cases of ``paths`` (the suite's own by default), their text and flags.

    A file that is wrong is left out: results are shown whether or not their case can be read.
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._paths = tuple(paths) or (CASES,)
        self._texts: dict[Path, list[str]] = {}

    @cached_property
    def suite(self) -> Suite:
        """Everything that could be read."""
        return read_suite(self._paths)[0]

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return {entry.case.id: entry for entry in self.suite.entries}

    def entry(self, case: str) -> Entry | None:
        """The case of that id, or None where neither this checkout has one nor a seed gives it."""
        return self._entries.get(case) or _drawn(case)

    def flags(self, case: str) -> Sequence[str]:
        """The flags that a case carries."""
        entry = self.entry(case)
        return entry.case.flags if entry else ()

    def flag(self, name: str) -> Flag | None:
        """What a flag means."""
        return self.suite.notes.flags.get(name) if self.suite.notes else None

    def yaml(self, case: str) -> str:
        """The case as its file has it, without the list's indentation."""
        entry = self.entry(case)
        if entry is None:
            return ""
        if case not in self._entries:
            return _written(entry)
        first, last = self._bounds(entry)
        text = self._text(entry.file)[first - 1 : last]
        while text and (not text[-1].strip() or text[-1].lstrip().startswith("#")):
            text.pop()
        return textwrap.dedent(_first(text, _MOST_LINES))

    def where(self, case: str) -> str:
        """``cases/stability/shifts.yaml:4``; a file elsewhere goes by its name alone, and a random case has none."""
        entry = self._entries.get(case)
        if entry is None:
            return ""
        file = entry.file.resolve()
        name = file.relative_to(CASES.parent) if file.is_relative_to(CASES) else Path(file.name)
        return f"{name}:{self._bounds(entry)[0]}"

    def _bounds(self, entry: Entry) -> tuple[int, int]:
        """First and last line of the case in its file."""
        starts = self._starts(entry.file)
        after = [line for line in starts if line > starts[entry.index]]
        return starts[entry.index], min(after) - 1 if after else len(self._text(entry.file))

    def _text(self, file: Path) -> list[str]:
        if file not in self._texts:
            self._texts[file] = read_text(file).splitlines()
        return self._texts[file]

    def _starts(self, file: Path) -> list[int]:
        if file not in self._lines:
            self._lines[file] = lines("\n".join(self._text(file)), file).below(("cases",))
        return self._lines[file]

    @cached_property
    def _lines(self) -> dict[Path, list[int]]:
        return {}


@lru_cache(maxsize=8)
def _drawn(case: str) -> Entry | None:
    """A random case, which stands in no file; a page asks for its case several times."""
    return random_case(case)


def _written(entry: Entry) -> str:
    """A case that stands in no file, as one would have it."""
    text = [f"{name}: {flow_text(value)}" for name, value in keys_of(entry.case).items()]
    wrapped = (
        textwrap.wrap(each, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for each in text
    )
    shown = [line for each in wrapped for line in each]
    return _first([f"- {shown[0]}", *(f"  {line}" for line in shown[1:])], _MOST_DRAWN_LINES)


def _first(text: Sequence[str], most: int) -> str:
    shown = "\n".join(text[:most])
    indent = text[0][: len(text[0]) - len(text[0].lstrip())] if text else ""
    return f"{shown}\n{indent}# … and {len(text) - most} more lines" if len(text) > most else shown

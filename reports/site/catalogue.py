"""What the case files say: results name a case by its id, and a page shows the case itself."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from conformance.cases.load import Entry, Suite, read_suite
from conformance.cases.yaml12 import lines, read_text
from conformance.model.case import Flag, Generator
from conformance.model.errors import UsageError
from conformance.places import CASES

if TYPE_CHECKING:
    from conformance.oracle.mistakes import Mistake
    from conformance.oracle.steps import Derivation

__all__ = ["Catalogue", "Derived"]

#: A case with more text than this is shown in part.
_MOST_LINES = 120
#: Derivations show numbers a reader can follow: literal logits, at most this many.
_MOST_NUMBERS = 512


@dataclass(frozen=True)
class Derived:
    """A derivation, and what common mistakes give for the same numbers in ``reduction``."""

    derivation: Derivation
    mistakes: tuple[Mistake, ...]
    reduction: str


class Catalogue:
    """The cases of ``paths`` (the suite's own by default), their text, flags and derivations.

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
        """The case of that id, or None where this checkout has none."""
        return self._entries.get(case)

    def flag(self, name: str) -> Flag | None:
        """What a flag means."""
        return self.suite.notes.flags.get(name) if self.suite.notes else None

    def yaml(self, case: str) -> str:
        """The case as its file has it, without the list's indentation."""
        entry = self.entry(case)
        if entry is None:
            return ""
        first, last = self._bounds(entry)
        text = self._text(entry.file)[first - 1 : last]
        while text and (not text[-1].strip() or text[-1].lstrip().startswith("#")):
            text.pop()
        hidden = len(text) - _MOST_LINES
        shown = textwrap.dedent("\n".join(text[:_MOST_LINES]))
        return f"{shown}\n# … and {hidden} more lines" if hidden > 0 else shown

    def where(self, case: str) -> str:
        """``cases/stability/shifts.yaml:4``; a file elsewhere goes by its name alone."""
        entry = self.entry(case)
        if entry is None:
            return ""
        file = entry.file.resolve()
        name = file.relative_to(CASES.parent) if file.is_relative_to(CASES) else Path(file.name)
        return f"{name}:{self._bounds(entry)[0]}"

    def derived(self, case: str) -> Derived | None:
        """The derivation in the widest dtype, for literal cases of a size that can be read; else None."""
        entry = self.entry(case)
        if entry is None or not _readable(entry):
            return None
        from conformance.cases.expand import expand
        from conformance.oracle.derivation import derive
        from conformance.oracle.mistakes import mistakes

        narrowed = msgspec.structs.replace(entry.case, dtypes=entry.case.dtypes[:1], layouts=entry.case.layouts[:1])
        try:
            problems = expand(replace(entry, case=narrowed)).problems
            if not problems:
                return None
            reductions = problems[0].reductions
            of = "mean" if "mean" in reductions else reductions[-1]
            return Derived(derive(problems[0], reductions), mistakes(problems[0], of), of)
        except UsageError:
            return None

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
            places = lines("\n".join(self._text(file)), file)
            numbers: list[int] = []
            while ("cases", len(numbers)) in places:
                numbers.append(places[("cases", len(numbers))])
            self._lines[file] = numbers
        return self._lines[file]

    @cached_property
    def _lines(self) -> dict[Path, list[int]]:
        return {}


def _readable(entry: Entry) -> bool:
    case = entry.case
    given = case.log_probabilities if case.logits is None else case.logits
    operands = (given, case.targets, case.weight)
    if given is None or any(isinstance(each, Generator) for each in operands):
        return False
    return _count(given) <= _MOST_NUMBERS


def _count(numbers: object) -> int:
    return sum(map(_count, numbers)) if isinstance(numbers, list) else 1

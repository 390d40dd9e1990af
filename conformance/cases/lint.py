"""Check case files beyond what loading them does: values against the oracle, references, flags, the schema line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from conformance.cases.expand import expand, reference_problem
from conformance.cases.load import NOTES_NAME, Entry, Suite, case_files, find_upwards, read_suite
from conformance.cases.places import place_of
from conformance.cases.schema import SCHEMA_NAME, check_schema
from conformance.cases.yaml12 import NodePath, read_text
from conformance.model.case import Generator
from conformance.model.errors import CaseError, Place
from conformance.model.problem import Problem

__all__ = [
    "ExpectedText",
    "LintFinding",
    "decimal_of",
    "finding_of",
    "lint",
    "same_number",
    "schema_findings",
    "schema_line",
]

#: The oracle: of a problem and a key of ``expected``, decimal text of 17 significant digits, in nested lists for
#: arrays; None where the definition gives no value.
ExpectedText = Callable[[Problem, str], str | list[Any] | None]
_MOST_ELEMENTS = 2**24
_REFERENCE = re.compile(r"https?://[^\s/]+\S*|(?:[\w.-]+/)?[\w.-]+#[0-9]+")


@dataclass(frozen=True)
class LintFinding:
    """A problem in a case file."""

    place: Place
    problem: str
    hint: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}\n  hint: {self.hint}"


def lint(paths: Sequence[Path], expected_text: ExpectedText) -> list[LintFinding]:
    """Every problem in the case files of ``paths``, in the order of files and lines.

    Raises CaseError only for a path that is not there.
    """
    suite, errors = read_suite(paths)
    files = case_files(paths)
    findings = [finding_of(error) for error in errors]
    findings += schema_findings(files, check_schema)
    for entry in suite.entries:
        findings += _references(entry.file, ("cases", entry.index), entry.case.references)
        findings += _values(entry, expected_text)
    if not errors:
        findings += _notes_findings(suite, paths)
    rank = {str(file): number for number, file in enumerate(files)}
    last = len(rank)
    return sorted(findings, key=lambda found: (rank.get(str(found.place.file), last), found.place.line or 0))


def finding_of(error: CaseError) -> LintFinding:
    """An error of the loader as a problem."""
    return LintFinding(error.place or Place("cases"), error.problem, error.hint or "")


def schema_line(file: Path, schema: Path) -> str:
    """The first line of a case file: it says to an editor where the schema is."""
    relative = os.path.relpath(schema.resolve(), file.resolve().parent).replace(os.sep, "/")
    return f"# yaml-language-server: $schema={relative}"


def schema_findings(files: Sequence[Path], check: Callable[[Path], None]) -> Iterator[LintFinding]:
    """A schema that ``check`` refuses, and files whose first line does not name it (where there is one)."""
    checked: set[Path] = set()
    for file in files:
        schema = find_upwards(file.parent, SCHEMA_NAME)
        if schema is None:
            continue
        if schema not in checked:
            checked.add(schema)
            try:
                check(schema)
            except CaseError as error:
                yield finding_of(error)
        try:
            first = (read_text(file).splitlines() or [""])[0].rstrip()
        except CaseError:
            continue
        wanted = schema_line(file, schema)
        if first != wanted:
            yield LintFinding(Place(file, 1), "the first line does not name the schema", f"write {wanted}")


def _references(file: Path, path: NodePath, references: Sequence[str]) -> Iterator[LintFinding]:
    for index, reference in enumerate(references):
        if not _REFERENCE.fullmatch(reference):
            place = place_of(file, (*path, "references", index))
            problem = f"'{reference}' is not a reference that can be followed"
            yield LintFinding(place, problem, "write a link (https://...) or repository#number")


def _values(entry: Entry, expected_text: ExpectedText) -> Iterator[LintFinding]:
    """Shapes that do not fit, and expected values that are not the oracle's."""
    try:
        problem = reference_problem(entry) if entry.case.expected else None
        if problem is None and not _is_large(entry.case.logits):
            expand(entry, dtypes=entry.case.dtypes[:1])
    except CaseError as error:
        yield finding_of(error)
        return
    for key, written in (entry.case.expected or {}).items():
        place = place_of(entry.file, ("cases", entry.index, "expected", key))
        if problem is None:
            hint = "remove `expected`, or choose smaller numbers or other dtypes"
            yield LintFinding(place, "the case fits no dtype, so that no value can be expected", hint)
            continue
        truth = expected_text(problem, key)
        if truth is None:
            yield LintFinding(place, "the definition gives no value here", "remove this key")
        else:
            yield from _differences(place, written, truth)


def _is_large(logits: object) -> bool:
    """Whether making the tensors, only to see whether their shapes fit, would take long."""
    return isinstance(logits, Generator) and math.prod(logits.shape or ()) > _MOST_ELEMENTS


def _differences(place: Place, written: Any, truth: Any, index: str = "") -> Iterator[LintFinding]:
    """Every number that is not the oracle's to the last digit, or one finding for a shape that differs."""
    if isinstance(written, list) and isinstance(truth, list) and len(written) == len(truth):
        for number, (ours, theirs) in enumerate(zip(written, truth, strict=True)):
            yield from _differences(place, ours, theirs, f"{index}[{number}]")
    elif isinstance(written, list) or isinstance(truth, list):
        problem = f"expected value{index} of another shape than the true one"
        yield LintFinding(place, problem, "remove `expected` and fill it anew")
    elif not same_number(written, truth):
        yield LintFinding(
            Place(place.file, place.line, f"{place.key}{index}"), f"{written} is not the true value", f"write {truth}"
        )


def same_number(one: str, other: str) -> bool:
    """Whether two decimal texts are the same number, digit for digit; infinities and NaN go by their names."""
    first, second = decimal_of(one), decimal_of(other)
    if first is None or second is None:
        return False
    return (first.is_nan() and second.is_nan()) or first == second


def decimal_of(text: str) -> Decimal | None:
    """The number that decimal text, an infinity or NaN is; None for other text."""
    try:
        return Decimal(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except InvalidOperation:
        return None


def _notes_findings(suite: Suite, paths: Sequence[Path]) -> Iterator[LintFinding]:
    """Flags that no case carries, known only from the folder as a whole, and references in the notes."""
    used = {flag for entry in suite.entries for flag in entry.case.flags}
    for path in paths:
        notes = path / NOTES_NAME
        if suite.notes is None or not notes.is_file():
            continue
        for flag, note in suite.notes.flags.items():
            if flag not in used:
                problem = f"no case carries the flag '{flag}'"
                yield LintFinding(
                    place_of(notes, ("flags", flag)), problem, "remove it, or write a case that carries it"
                )
            yield from _references(notes, ("flags", flag), note.references)

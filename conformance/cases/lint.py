"""Check case files beyond what loading them does: values against the oracle, references, flags, the schema line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.cases.checks import is_large
from conformance.cases.complaints import Complaint, in_order
from conformance.cases.expand import expand
from conformance.cases.fill import lacking_values
from conformance.cases.load import NOTES_NAME, Entry, Suite, case_files, find_upwards, read_suite
from conformance.cases.schema import SCHEMA_NAME, check_schema, schema_text
from conformance.cases.stated import ExpectedText, same_number, untrue
from conformance.cases.yaml12 import NodePath, read_text
from conformance.model.case import Generator
from conformance.model.errors import CaseError, Place
from conformance.places import CASES
from conformance.plain import command_line

__all__ = ["PLACEHOLDER", "lint", "schema_findings", "schema_line"]

#: What stands for the reason of a case that was found by a search, until somebody has understood it.
PLACEHOLDER = "to be filled in"
_REFERENCE = re.compile(r"https?://[^\s/]\S*|(?:[\w.-]+/)?[\w.-]+#[0-9]+")


def lint(paths: Sequence[Path], expected_text: ExpectedText, *, own: Path = CASES) -> list[CaseError]:
    """Every problem in the case files of ``paths``, in the order of files and lines.

    A case below the folder ``own`` has to state its expected values. Raises CaseError only for a path that is not
    there.
    """
    own = Path(os.path.realpath(own))
    suite, errors = read_suite(paths)
    files = case_files(paths)
    findings = [*errors, *schema_findings(files, schema_text(), "case-file")]
    for entry in suite.entries:
        findings += _references(entry.file, ("cases", entry.index), entry.case.references)
        if entry.case.why == PLACEHOLDER:
            hint = "say what the case shows: the truth, or the bug that it catches"
            findings.append(entry.error(("why",), f"'{PLACEHOLDER}' is not a reason", hint))
        findings += _values(entry, expected_text)
        if own in Path(os.path.realpath(entry.file)).parents:
            findings += _unstated(entry, expected_text)
    if not errors:
        findings += _notes_findings(suite, paths)
    return in_order(findings, files)


def schema_line(file: Path, schema: Path) -> str:
    """The first line of a case file: it says to an editor where the schema is."""
    relative = os.path.relpath(os.path.realpath(schema), Path(os.path.realpath(file)).parent).replace(os.sep, "/")
    return f"# yaml-language-server: $schema={relative}"


def schema_findings(files: Sequence[Path], wanted_text: str, document: str) -> Iterator[CaseError]:
    """A schema other than ``wanted_text``, that of ``document``, and files whose first line does not name theirs."""
    ours: dict[Path, bool] = {}
    for file in files:
        schema = find_upwards(file.parent, SCHEMA_NAME)
        if schema is None:
            continue
        if schema not in ours:
            try:
                ours[schema] = check_schema(schema, wanted_text, document)
            except CaseError as error:
                ours[schema] = True
                yield error
        if not ours[schema]:
            continue
        try:
            first = (read_text(file).splitlines() or [""])[0].rstrip()
        except CaseError:
            continue
        wanted = schema_line(file, schema)
        if first != wanted:
            problem = "the first line does not name the schema"
            yield CaseError(problem, place=Place(file, 1), hint=f"write {wanted}")


def _references(file: Path, base: NodePath, references: Sequence[str]) -> Iterator[CaseError]:
    for index, reference in enumerate(references):
        if not _REFERENCE.fullmatch(reference):
            problem = f"'{reference}' is not a reference that can be followed"
            hint = "write a link (https://...) or repository#number"
            yield Complaint(("references", index), problem, hint).at(file, *base)


def _values(entry: Entry, expected_text: ExpectedText) -> Iterator[CaseError]:
    """Shapes that do not fit, and expected values that are not the oracle's to the last digit."""
    try:
        yield from untrue(entry, expected_text, same_number)
        if not entry.case.expected and not is_large(entry.case):
            expand(entry, dtypes=entry.case.dtypes[:1])
    except CaseError as error:
        yield error


def _unstated(entry: Entry, expected_text: ExpectedText) -> Iterator[CaseError]:
    """A case whose tensors are all written out, so that people can follow it, and not all of its expected values."""
    case = entry.case
    tensors = (case.input, case.targets, case.where, case.weight, case.upstream, case.tangent)
    if any(isinstance(each, Generator) for each in tensors):
        return
    try:
        lacking = lacking_values(entry, expected_text)
    except CaseError:  # which is said already
        return
    if lacking:
        removed = "" if case.expected is None else "remove `expected`, and "
        hint = f"{removed}let `{command_line('conformance', 'fill', entry.file)}` write the values"
        yield entry.error(("expected",), f"`expected` lacks {', '.join(lacking)}", hint)


def _notes_findings(suite: Suite, paths: Sequence[Path]) -> Iterator[CaseError]:
    """Flags that no case carries, known only from the folder as a whole, and references in the notes."""
    used = {flag for entry in suite.entries for flag in entry.case.flags}
    for path in paths:
        notes = path / NOTES_NAME
        if suite.notes is None or not notes.is_file():
            continue
        for flag, note in suite.notes.flags.items():
            if flag not in used:
                hint = "remove it, or write a case that carries it"
                yield Complaint(("flags", flag), f"no case carries the flag '{flag}'", hint).at(notes)
            yield from _references(notes, ("flags", flag), note.references)

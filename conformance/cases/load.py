"""Case files to a suite: everything that is wrong is reported at once, with file, line, key and hint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.checks import Complaint, complaints_about, suggestion
from conformance.cases.complaints import complaints_of
from conformance.cases.literals import LiteralProblem, read_hex_floats
from conformance.cases.places import place_of
from conformance.cases.yaml12 import NodePath, parse, read, read_text
from conformance.model.case import Case, CaseFile, Notes
from conformance.model.errors import CaseError, CaseErrors

__all__ = [
    "NOTES_NAME",
    "Entry",
    "Suite",
    "case_files",
    "find_upwards",
    "holds_workloads",
    "load_suite",
    "read_suite",
    "workload_folders",
]

NOTES_NAME = "notes.yaml"
#: Files among the cases that hold none.
_OTHERS = (NOTES_NAME, "quick.yaml")
_SUFFIXES = (".yaml", ".yml")
_NOT_CASES = "benchmarks"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A case, the theme of its file, and where it stands: ``index`` counts the file's cases from 0."""

    case: Case
    theme: str
    file: Path
    index: int

    def error(self, path: NodePath, problem: str, hint: str) -> CaseError:
        """An error at ``path`` within this case, such as ``("weight",)``."""
        return CaseError(problem, place=place_of(self.file, ("cases", self.index, *path)), hint=hint)


@dataclass(frozen=True, slots=True)
class Suite:
    """All cases in the order of the files, and the notes that define their flags (None: no notes.yaml was found)."""

    entries: tuple[Entry, ...]
    notes: Notes | None

    def line(self, entry: Entry) -> int:
        """The line of the case in its file, from 1; the file is read again for it."""
        return place_of(entry.file, ("cases", entry.index)).line or 1


def load_suite(paths: Sequence[Path]) -> Suite:
    """The cases of files and folders (searched recursively, in sorted order).

    Raises CaseErrors with everything that is wrong; CaseError for a path that is not there.
    """
    suite, errors = read_suite(paths)
    if errors:
        raise CaseErrors(errors)
    return suite


def read_suite(paths: Sequence[Path]) -> tuple[Suite, list[CaseError]]:
    """The cases that are sound, and the errors of the others; raises CaseError for a path that is not there."""
    entries: list[Entry] = []
    errors: list[CaseError] = []
    notes_of = _NotesFinder(errors)
    seen: dict[str, Entry] = {}
    for file in case_files(paths):
        before = len(errors)
        notes = notes_of(file)
        for entry in _entries(file, errors):
            wrong = [entry.error(*complaint) for complaint in _complaints(entry, seen, notes)]
            errors.extend(wrong)
            if not wrong:
                entries.append(entry)
        errors[before:] = sorted(errors[before:], key=_line)
    return Suite(tuple(entries), notes_of.merged()), errors


def _line(error: CaseError) -> int:
    return (error.place.line if error.place else None) or 0


def case_files(paths: Sequence[Path]) -> list[Path]:
    """The case files among ``paths`` and below its folders, each once; raises CaseError.

    Left out below a folder: ``notes.yaml``, ``quick.yaml``, folders called ``benchmarks``, hidden folders, other
    suffixes.
    """
    if not paths:
        raise CaseError("no case file named", hint="name a file or folder of cases")
    files: dict[Path, Path] = {}
    for path in paths:
        if holds_workloads(path):
            raise CaseError(f"{path}: holds workloads, not cases", hint="name it to `conformance bench --workloads`")
        found = sorted(_below(path)) if path.is_dir() else [_single(path)]
        if not found:
            raise CaseError(f"{path}: no case file in this folder", hint="case files end in .yaml")
        for file in found:
            files.setdefault(file.resolve(), file)
    return list(files.values())


def holds_workloads(path: Path) -> bool:
    """Whether ``path`` is a folder called ``benchmarks``, or a file in one: those are not of cases."""
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    return folder.name == _NOT_CASES


def workload_folders(paths: Sequence[Path]) -> list[Path]:
    """What holds workloads among ``paths``: those that do themselves, and folders called ``benchmarks`` in others."""
    found = [path for path in paths if holds_workloads(path)]
    found += [each for path in paths if path not in found and path.is_dir() for each in sorted(path.rglob(_NOT_CASES))]
    return [each for each in found if each.exists()]


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != _NOT_CASES and not name.startswith("."))
        for name in names:
            if name.endswith(_SUFFIXES) and name not in _OTHERS and not name.startswith("."):
                yield Path(parent, name)


def _single(path: Path) -> Path:
    if not path.exists():
        raise CaseError(f"{path}: no such file or folder", hint="check the path, relative to where you are")
    if not path.is_file() or path.suffix not in _SUFFIXES or path.name in _OTHERS:
        raise CaseError(f"{path}: not a case file", hint="name a .yaml file of cases, or a folder of them")
    return path


def _entries(file: Path, errors: list[CaseError]) -> Iterator[Entry]:
    """The well-typed cases of one file; errors of the others are appended."""
    try:
        text = read_text(file)
        data = parse(text, file)
    except CaseError as error:
        errors.append(error)
        return
    # Looking for the two letters first keeps files without hexadecimal floats, nearly all, on the fast path.
    refused = _read_hex_floats(file, data, errors) if "0x" in text or "0X" in text else set()
    try:
        content = msgspec.convert(data, CaseFile, strict=True)
    except msgspec.ValidationError:
        yield from _entries_one_by_one(file, data, refused, errors)
        return
    if not content.cases:
        errors.append(CaseError("no cases", place=place_of(file, ("cases",)), hint="write at least one case"))
    for index, case in enumerate(content.cases):
        if index not in refused:
            yield Entry(case, content.theme, file, index)


def _entries_one_by_one(file: Path, data: Any, refused: set[int], errors: list[CaseError]) -> Iterator[Entry]:
    """The slow path: every complaint about the file, and the cases that are sound nevertheless."""
    cases = data.get("cases") if isinstance(data, dict) else None
    frame = {**data, "cases": []} if isinstance(cases, list) else data
    errors.extend(_error(file, (), complaint) for complaint in complaints_of(frame, CaseFile))
    theme = str(data.get("theme")) if isinstance(data, dict) else ""
    for index, raw in enumerate(cases if isinstance(cases, list) else []):
        if index in refused:
            continue
        complaints = list(complaints_of(raw, Case))
        if complaints:
            errors.extend(_error(file, ("cases", index), complaint) for complaint in complaints)
        else:
            yield Entry(msgspec.convert(raw, Case, strict=True), theme, file, index)


def _read_hex_floats(file: Path, data: Any, errors: list[CaseError]) -> set[int]:
    """Put numbers in place of hexadecimal floats; the indices of the cases where that fails."""
    refused = set()
    cases = data.get("cases") if isinstance(data, dict) else None
    for index, raw in enumerate(cases if isinstance(cases, list) else []):
        try:
            read_hex_floats(raw)
        except LiteralProblem as error:
            refused.add(index)
            errors.append(_error(file, ("cases", index), Complaint(error.path, error.problem, error.hint)))
    return refused


def _error(file: Path, base: NodePath, complaint: Complaint) -> CaseError:
    place = place_of(file, (*base, *complaint.path))
    return CaseError(complaint.problem, place=place, hint=complaint.hint)


def _complaints(entry: Entry, seen: dict[str, Entry], notes: Notes | None) -> Iterator[Complaint]:
    """What is wrong with the case by itself, its id among all, and its flags."""
    case = entry.case
    first = seen.setdefault(case.id, entry)
    if first is not entry:
        where = place_of(first.file, ("cases", first.index))
        yield Complaint(("id",), f"id '{case.id}' is taken", f"ids are unique over all files; the other is {where}")
    yield from complaints_about(case)
    if notes is None:
        return
    for index, flag in enumerate(case.flags):
        if flag not in notes.flags:
            hint = f"{suggestion(flag, notes.flags)}or define it in {NOTES_NAME}"
            yield Complaint(("flags", index), f"flag '{flag}' is not defined", hint)


def find_upwards(folder: Path, name: str) -> Path | None:
    """The file ``name`` in ``folder`` or the nearest of its parents that has one."""
    folder = folder.resolve()
    return next((parent / name for parent in (folder, *folder.parents) if (parent / name).is_file()), None)


class _NotesFinder:
    """The notes that hold for a file, each notes.yaml read once."""

    def __init__(self, errors: list[CaseError]) -> None:
        self.errors = errors
        self.by_folder: dict[Path, Path | None] = {}
        self.known: dict[Path, Notes | None] = {}

    def __call__(self, file: Path) -> Notes | None:
        folder = file.parent
        if folder not in self.by_folder:
            self.by_folder[folder] = find_upwards(folder, NOTES_NAME)
        path = self.by_folder[folder]
        if path is None:
            return None
        if path not in self.known:
            self.known[path] = self._read(path)
        return self.known[path]

    def merged(self) -> Notes | None:
        flags = {name: flag for notes in self.known.values() if notes for name, flag in notes.flags.items()}
        return Notes(flags=flags) if any(self.known.values()) else None

    def _read(self, path: Path) -> Notes | None:
        try:
            data = read(path)
            return msgspec.convert(data, Notes, strict=True)
        except CaseError as error:
            self.errors.append(error)
        except msgspec.ValidationError:
            self.errors.extend(_error(path, (), complaint) for complaint in complaints_of(data, Notes))
        return None

"""Case files to a suite: everything that is wrong is reported at once, with file, line, key and hint."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.checks import MOST_OF_FILE, complaints_about, elements_of, is_large
from conformance.cases.complaints import MOST, Complaint, complaints_of, read_as, suggestion
from conformance.cases.literals import read_hex_floats
from conformance.cases.yaml12 import NodePath, parse, place_of, read_text
from conformance.model.case import Case, CaseFile, Notes
from conformance.model.errors import CaseError, CaseErrors, Place
from conformance.places import CASES

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
#: Files and folders that are looked at for cases, and files that are read though something is wrong in each: whoever
#: names the root of a disk did not mean to.
MOST_BELOW, MOST_WRONG = 200_000, 100
_ALONE = "name a folder that holds cases alone"


@dataclass(frozen=True, eq=False)
class Entry:
    """A case, the theme of its file, and where it stands: ``index`` counts the file's cases from 0.

    ``stated`` is the case as its file states it, where :meth:`narrowed` has left some of its dtypes out.
    """

    case: Case
    theme: str
    file: Path
    index: int
    stated: Case | None = None

    def narrowed(self, dtypes: Collection[str]) -> Entry:
        """The entry in those of its dtypes that are in ``dtypes``.

        What is asked in a dtype stays what it is among all: it depends on the case as stated.
        """
        kept = tuple(dtype for dtype in self.case.dtypes if dtype in dtypes)
        narrower = msgspec.structs.replace(self.case, dtypes=kept)
        return replace(self, case=narrower, stated=self.stated or self.case)

    def error(self, path: NodePath, problem: str, hint: str) -> CaseError:
        """An error at ``path`` within this case, such as ``("weight",)``."""
        return Complaint(path, problem, hint).at(self.file, "cases", self.index)


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
    files = case_files(paths)
    notes = _NotesOf(files, errors)
    seen: dict[str, Entry] = {}
    wrong_files = 0
    for file in files:
        if wrong_files >= MOST_WRONG:
            problem = f"{wrong_files} files are wrong before this one: neither it nor the others were looked at"
            errors.append(CaseError(problem, place=Place(file), hint=f"correct these first, or {_ALONE}"))
            break
        wrong: list[CaseError] = []
        flags = notes.flags(file)
        elements = 0
        for entry in _entries(file, wrong):
            of_case = [each.at(file, "cases", entry.index) for each in islice(_complaints(entry, seen, flags), MOST)]
            elements += 0 if is_large(entry.case) else elements_of(entry.case)
            if not of_case and elements > MOST_OF_FILE:
                hint = "split the file, or state the `budget` of its largest cases"
                wrong.append(entry.error((), f"more than {MOST_OF_FILE} numbers in the tensors of one file", hint))
                break
            wrong += of_case
            if len(wrong) >= MOST:
                break
            if not of_case:
                entries.append(entry)
        errors += _first(sorted(wrong, key=_line), file)
        wrong_files += bool(wrong)
    return Suite(tuple(entries), notes.merged), errors


def _first(errors: list[CaseError], file: Path) -> list[CaseError]:
    if len(errors) < MOST:
        return errors
    problem = f"{MOST} problems or more: the rest of the file was not looked at"
    return [*errors[:MOST], CaseError(problem, place=Place(file), hint="correct these first")]


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
    search = _Search()
    for path in dict.fromkeys(paths):
        search.count(path, 1)
        if holds_workloads(path):
            raise CaseError(f"{path}: holds workloads, not cases", hint="name it to `conformance bench --workloads`")
        found = sorted(_below(path, search)) if _is_folder(path) else [_single(path)]
        if not found:
            raise CaseError(f"{path}: no case file in this folder", hint="case files end in .yaml")
        for file in found:
            files.setdefault(_real(file), file)
    return list(files.values())


def holds_workloads(path: Path) -> bool:
    """Whether ``path`` is a folder called ``benchmarks``, or a file in one: those are not of cases."""
    folder = _real(path) if _is_folder(path) else _real(path).parent
    return folder.name == _NOT_CASES


# Unlike the methods of Path, these are false where a folder may not be entered.
def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def _real(path: Path) -> Path:
    """The path without symbolic links, as far as they lead: those in a circle raise nothing here."""
    return Path(os.path.realpath(path))


def workload_folders(paths: Sequence[Path]) -> list[Path]:
    """What holds workloads among ``paths``: those that do themselves, and folders called ``benchmarks`` in others."""
    found = [path for path in paths if holds_workloads(path)]
    search = _Search()
    for path in paths:
        if path not in found:
            found += [Path(parent, _NOT_CASES) for parent, folders, _ in search.walk(path) if _NOT_CASES in folders]
    return [each for each in found if each.exists()]


class _Search:
    """Looks for files below folders, hidden ones left out; raises CaseError where there is too much."""

    def __init__(self) -> None:
        self._left = MOST_BELOW

    def count(self, path: Path, more: int) -> None:
        """Count what is looked at for the sake of ``path``."""
        self._left -= more
        if self._left < 0:
            raise CaseError(f"{path}: more than {MOST_BELOW} files and folders to look at", hint=_ALONE)

    def walk(self, folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        """As ``os.walk``, the folders sorted."""
        for parent, folders, names in os.walk(folder):
            self.count(folder, len(folders) + len(names))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield parent, folders, names


def _below(folder: Path, search: _Search) -> Iterator[Path]:
    for parent, folders, names in search.walk(folder):
        folders[:] = [name for name in folders if name != _NOT_CASES]
        for name in names:
            if name.endswith(_SUFFIXES) and name not in _OTHERS and not name.startswith("."):
                yield Path(parent, name)


def _single(path: Path) -> Path:
    if not os.path.lexists(path):
        raise CaseError(f"{path}: no such file or folder", hint="check the path, relative to where you are")
    if not _is_file(path) or path.suffix not in _SUFFIXES or path.name in _OTHERS:
        raise CaseError(f"{path}: not a case file", hint="name a .yaml file of cases, or a folder of them")
    return path


def _entries(file: Path, wrong: list[CaseError]) -> Iterator[Entry]:
    """The well-typed cases of one file; what is wrong with the others is appended, up to some number."""
    try:
        text = read_text(file)
        data = parse(text, file)
    except CaseError as error:
        wrong.append(error)
        return
    # Looking for the two letters first keeps files without hexadecimal floats, nearly all, on the fast path.
    complaints = list(islice(read_hex_floats(data), MOST)) if "0x" in text or "0X" in text else []
    refused = {complaint.path[1] for complaint in complaints}
    wrong.extend(complaint.at(file) for complaint in complaints)
    try:
        content = msgspec.convert(data, CaseFile, strict=True)
    except msgspec.ValidationError:
        yield from _entries_one_by_one(file, data, refused, wrong)
        return
    if not content.cases:
        wrong.append(Complaint(("cases",), "no cases", "write at least one case").at(file))
    for index, case in enumerate(content.cases):
        if index not in refused:
            yield Entry(case, content.theme, file, index)


def _entries_one_by_one(file: Path, data: Any, refused: Container[object], wrong: list[CaseError]) -> Iterator[Entry]:
    """The slow path: complaints about the file, and the cases that are sound nevertheless."""
    cases = data.get("cases") if isinstance(data, dict) else None
    frame = {**data, "cases": []} if isinstance(cases, list) else data
    wrong.extend(complaint.at(file) for complaint in complaints_of(frame, CaseFile))
    theme = str(data.get("theme")) if isinstance(data, dict) else ""
    for index, raw in enumerate(cases if isinstance(cases, list) else []):
        if index in refused:
            continue
        complaints = complaints_of(raw, Case)
        wrong.extend(complaint.at(file, "cases", index) for complaint in complaints)
        if len(wrong) >= MOST:
            return
        if not complaints:
            yield Entry(msgspec.convert(raw, Case, strict=True), theme, file, index)


def _complaints(entry: Entry, seen: dict[str, Entry], flags: Collection[str]) -> Iterator[Complaint]:
    """What is wrong with the case by itself, its id among all, and its flags."""
    case = entry.case
    first = seen.setdefault(case.id, entry)
    if first is not entry:
        where = place_of(first.file, ("cases", first.index))
        yield Complaint(("id",), f"id '{case.id}' is taken", f"ids are unique over all files; the other is {where}")
    yield from complaints_about(case)
    for index, flag in enumerate(case.flags):
        if flag not in flags:
            near = suggestion(flag, flags)
            how = f"define it in {NOTES_NAME}: `flags: {{{flag}: {{bug_class: ..., effect: ...}}}}`"
            hint = f"{near}or {how}" if near else how
            yield Complaint(("flags", index), f"flag '{flag}' is not defined", hint)


def find_upwards(folder: Path, name: str) -> Path | None:
    """The file ``name`` in ``folder`` or the nearest of its parents that has one."""
    folder = _real(folder)
    return next((parent / name for parent in (folder, *folder.parents) if _is_file(parent / name)), None)


class _NotesOf:
    """The notes that hold for each of some files, each notes.yaml read once."""

    def __init__(self, files: Sequence[Path], errors: list[CaseError]) -> None:
        self._found = {folder: find_upwards(folder, NOTES_NAME) for folder in {file.parent for file in files}}
        self._own = _real(CASES / NOTES_NAME)
        self._notes: dict[Path, Notes] = {}
        for path in dict.fromkeys([*self._found.values(), self._own]):
            try:
                if path is not None:
                    self._notes[path] = read_as(path, Notes)
            except CaseError as error:
                errors.extend(error.errors)

    def flags(self, file: Path) -> Collection[str]:
        """What cases in ``file`` may carry: the flags that the nearest notes define, and those of the suite."""
        found = self._found[file.parent]
        return {name: None for path in (found, self._own) if path in self._notes for name in self._notes[path].flags}

    @property
    def merged(self) -> Notes | None:
        """All notes that were found beside the files; None where there are none."""
        found = [self._notes[path] for path in dict.fromkeys(self._found.values()) if path in self._notes]
        return Notes(flags={name: flag for notes in found for name, flag in notes.flags.items()}) if found else None

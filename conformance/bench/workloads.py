"""Workload files: found, read, and checked, with file, line, key and hint for everything that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from conformance.bench.workload import BYTES, Series, Workload, WorkloadFile, Written, expanded
from conformance.bench.workload_schema import schema_text
from conformance.cases.complaints import Complaint, complaints_of, in_order
from conformance.cases.lint import schema_findings
from conformance.cases.select import predicate
from conformance.cases.yaml12 import NodePath, place_of, read
from conformance.model.errors import CaseError, CaseErrors, UsageError
from conformance.places import CASES

__all__ = ["WORKLOADS", "lint_workloads", "load_workloads", "read_workloads", "select_workloads", "workload_files"]

#: The folder of the suite's own workloads.
WORKLOADS = CASES / "benchmarks"
_SUFFIXES = (".yaml", ".yml")
_MOST_BYTES = 64 << 30
_MOST_LISTED = 12


def workload_files(paths: Sequence[Path]) -> list[Path]:
    """The workload files among ``paths`` and below its folders, sorted within each; raises CaseError."""
    files: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            found = sorted(each for suffix in _SUFFIXES for each in path.rglob(f"*{suffix}"))
        elif path.is_file() and path.suffix in _SUFFIXES:
            found = [path]
        else:
            raise CaseError(
                f"{path}: no such file or folder", hint="name a .yaml file of workloads, or a folder of them"
            )
        if not found:
            raise CaseError(f"{path}: no workload file in this folder", hint="workload files end in .yaml")
        files.update({each.resolve(): each for each in found})
    return list(files.values())


def load_workloads(paths: Sequence[Path]) -> list[Workload]:
    """The workloads of files and folders; raises CaseErrors with everything that is wrong."""
    workloads, errors = read_workloads(workload_files(paths))
    if errors:
        raise CaseErrors(errors)
    return workloads


def read_workloads(files: Sequence[Path]) -> tuple[list[Workload], list[CaseError]]:
    """The workloads of the files that are sound, and what is wrong with the others."""
    workloads: list[Workload] = []
    errors: list[CaseError] = []
    seen: dict[str, tuple[Path, NodePath]] = {}
    for file in files:
        try:
            data = read(file)
            content = msgspec.convert(data, WorkloadFile, strict=True)
        except CaseError as error:
            errors.append(error)
            continue
        except msgspec.ValidationError:
            errors += [each.at(file) for each in complaints_of(data, WorkloadFile)]
            continue
        wrong = [each.at(file) for each in (*_complaints(content), *_repeated(content, file, seen))]
        errors += wrong
        if not wrong:
            workloads += expanded(content)
    return workloads, errors


def lint_workloads(paths: Sequence[Path]) -> list[CaseError]:
    """Every problem in the workload files of ``paths``, and in their schema, in the order of files and lines."""
    if not paths:
        return []
    files = workload_files(paths)
    _, errors = read_workloads(files)
    return in_order([*errors, *schema_findings(files, schema_text(), "workload-file")], files)


def select_workloads(workloads: Sequence[Workload], expression: str | None, quick: bool) -> list[Workload]:
    """Those whose id, series, dtype or kind of targets match; with ``quick`` only those marked so.

    Raises UsageError where none is left.
    """
    chosen = [each for each in workloads if each.quick or not quick]
    if expression is not None:
        matches = predicate(expression)
        chosen = [each for each in chosen if matches("\n".join((each.id, each.dtype, each.targets)).lower())]
    if not chosen:
        names = ", ".join(each.id for each in workloads[:_MOST_LISTED])
        more = ", …" if len(workloads) > _MOST_LISTED else ""
        raise UsageError("no workload is selected", hint=f"loosen -k, or leave out --quick; there are {names}{more}")
    return chosen


def _repeated(content: WorkloadFile, file: Path, seen: dict[str, tuple[Path, NodePath]]) -> Iterator[Complaint]:
    """Ids that occur twice, in this file or another; those of the points of a series count, too."""
    taken: list[tuple[str, NodePath]] = [(each.id, ("workloads", i, "id")) for i, each in enumerate(content.workloads)]
    for index, series in enumerate(content.series):
        points = [] if any(_about_series(series)) else [point.id for point in series.workloads()]
        taken += [(name, ("series", index, "id")) for name in (series.id, *points)]
    for name, path in taken:
        first = seen.setdefault(name, (file, path))
        if first != (file, path):
            where = place_of(*first)
            yield Complaint(path, f"id '{name}' is taken", f"ids are unique over all files; the other is {where}")


def _complaints(content: WorkloadFile) -> Iterator[Complaint]:
    if not content.workloads and not content.series:
        yield Complaint((), "no workloads", "write at least one below `workloads:` or `series:`")
    for index, workload in enumerate(content.workloads):
        yield from (Complaint(("workloads", index, *path), *rest) for path, *rest in _about(workload))
    for index, series in enumerate(content.series):
        yield from (Complaint(("series", index, *path), *rest) for path, *rest in _about_series(series))


def _about_series(series: Series) -> Iterator[tuple[NodePath, str, str]]:
    needed, other = ("elements", "classes") if series.over == "classes" else ("classes", "elements")
    if getattr(series, needed) is None:
        yield (), f"key '{needed}' is missing", f"a series over {series.over} needs it: write `{needed}: …`"
    if getattr(series, other) is not None:
        yield (other,), f"a series over {series.over} takes no {other}", "remove the key"
    if len(set(series.extents)) != len(series.extents):
        yield ("extents",), "an extent twice", "name each extent once"
    if series.elements is not None and any(series.elements % extent for extent in series.extents):
        hint = "let every extent divide the elements, so that all points move as many bytes"
        yield ("extents",), f"an extent does not divide {series.elements}", hint
    if any(point.logits_bytes > _MOST_BYTES for point in series.workloads()):
        yield ("extents",), "more than 64 GiB of logits", "write smaller extents"
    if not series.contracts:
        yield ("contracts",), "an empty list", "name at least one contract"


def _about(workload: Written) -> Iterator[tuple[NodePath, str, str]]:
    rank = len(workload.shape)
    if not -rank <= workload.axis < rank:
        yield (
            ("axis",),
            f"axis {workload.axis} is out of range",
            f"write one from {-rank} to {rank - 1}: the class axis",
        )
        return
    if math.prod(workload.shape) * BYTES[workload.dtype] > _MOST_BYTES:
        yield ("shape",), "more than 64 GiB of logits", "write smaller extents"
    if workload.ignored and workload.targets == "probabilities":
        yield ("ignored",), "ignore_index applies to index targets only", "remove the key, or write `targets: indices`"
    for name in ("contracts", "caches"):
        values = getattr(workload, name)
        if not values:
            yield (name,), "an empty list", "name at least one, or remove the key for the default"
        if len(set(values)) != len(values):
            yield (name,), "one of them twice", "name each once"

"""Check workload files: everything that the loader refuses, and the schema that editors use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.bench.workload_schema import check
from conformance.bench.workloads import read_workloads, workload_files
from conformance.cases.lint import LintFinding, finding_of, schema_findings

__all__ = ["lint_workloads"]


def lint_workloads(paths: Sequence[Path]) -> list[LintFinding]:
    """Every problem in the workload files of ``paths``, in the order of files and lines."""
    if not paths:
        return []
    files = workload_files(paths)
    _, errors = read_workloads(files)
    findings = [finding_of(error) for error in errors] + list(schema_findings(files, check))
    rank = {str(file): number for number, file in enumerate(files)}
    return sorted(findings, key=lambda each: (rank.get(str(each.place.file), len(rank)), each.place.line or 0))

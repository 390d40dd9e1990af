"""``conformance lint``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.options import PATH, cases_option, format_option, schema_option
from conformance.model.errors import Place
from conformance.places import CASES, PROFILES
from conformance.plain import json_text, plural, say
from conformance.schemas.documents import LintProblem

__all__ = ["command"]


def _variants() -> dict[str, tuple[str, ...]]:
    """The words of the options of every backend that is installed."""
    from conformance.backends import discovery
    from conformance.backends.errors import BackendLookupError

    found = {}
    for name in discovery.names():
        try:
            backend = discovery.find(name)
        except BackendLookupError:
            continue
        if backend.devices is not None and backend.modes is not None:
            found[name] = (*backend.devices, *backend.modes)
    return found


@click.command(
    "lint",
    epilog="Examples: `conformance lint`; `conformance lint my_cases/`; `conformance lint --format json`.",
)
@click.argument("files", nargs=-1, type=PATH, metavar="[PATH]...")
@cases_option
@click.option(
    "--profiles",
    type=PATH,
    metavar="DIR",
    help="Check the profiles in DIR, and no cases unless paths are named; without either, the suite's own.",
)
@format_option("Lines for people, or one JSON array.")
@schema_option("lint", "case-file", "workload-file")
def command(files: tuple[Path, ...], paths: tuple[Path, ...], profiles: Path | None, style: str) -> int:
    """Check case files, their expected values, their schema, workloads, and the backends' profiles.

    Every finding names file, line and key, and what to write. Exit code 2 if there is one.
    """
    from conformance.bench.workloads import lint_workloads
    from conformance.cases.lint import lint
    from conformance.cases.load import holds_workloads, read_suite, workload_folders
    from conformance.oracle.text import expected_text
    from conformance.profiles.lint import lint_profiles, profile_files

    named = (*files, *paths)
    chosen = named or (() if profiles else (CASES,))
    of_cases = [path for path in chosen if not holds_workloads(path)]
    findings = lint(of_cases, expected_text) if of_cases else []
    findings += lint_workloads(workload_folders(chosen))
    if profiles is None and not named:
        profiles = PROFILES
    counts = []
    entries = read_suite(of_cases)[0].entries if of_cases else ()
    if of_cases:
        counts.append(plural(len(entries), "case"))
    if profiles is not None:
        of_registers = entries or read_suite([CASES])[0].entries
        findings += lint_profiles(profiles, [entry.case for entry in of_registers], _variants())
        counts.append(plural(len(profile_files(profiles)), "profile"))
    if style == "json":
        places = [each.place or Place("") for each in findings]
        rows = [
            LintProblem(file=str(place.file), line=place.line, key=place.key, problem=each.problem, hint=each.hint)
            for each, place in zip(findings, places, strict=True)
        ]
        sys.stdout.write(json_text(rows))
    else:
        for each in findings:
            say(each)
        of_what = " and ".join(counts) or "the workloads"
        said = f"{len(findings)} to correct" if findings else f"no problem found in {of_what}"
        say(said, err=True)
    return 2 if findings else 0

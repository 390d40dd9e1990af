"""The pages of docs that are made from data: ``python -m conformance.reports.documents PAGE > docs/PAGE.md``.

``findings`` are the registers of known defects, ``reported`` is docs/reported.yaml beside the cases, ``policies`` is
the semantics matrix of the runs named after it, and ``versions`` is docs/versions.yaml, which ``versions-data`` makes
of the runs named after it. The data are the record, the pages are their reading copy.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import click
import msgspec

from conformance.cases.yaml12 import read
from conformance.commands import run_command
from conformance.model.errors import Place, UsageError
from conformance.model.severities import SEVERITIES
from conformance.places import DOCS
from conformance.reports.escape import address, escape, wrapped
from conformance.reports.merge import Merged, merge
from conformance.reports.nightly.frameworks import read_frameworks
from conformance.reports.semantics import semantics
from conformance.reports.semantics_text import semantics_by_value
from conformance.reports.versions import version_histories
from conformance.reports.versions_text import histories_data, read_histories, recorded, versions_text

__all__ = ["SOURCE", "Report", "findings_text", "policies_text", "read_reports", "reported_text"]

_FINDINGS = """# What was found

Every entry is in the register of known defects of its backend's profile (`backends/profiles/`). A
run fails as soon as one of them no longer shows, unless the entry depends on the machine, or the
defect comes and goes. Each was confirmed with the framework alone, outside the suite. The versions
are those on which it was observed. The command derives the exact result and shows what the
framework gives. `python -m tests.support.registers BACKEND` runs a stand-alone script of each
entry, in a process of its own, and says whether it shows. *not reported*: of no thread that was
found is it the subject. The gravest were searched for last on 2026-11-30, not all of the lighter
ones. Of each backend the gravest come first. What is counted are entries: a defect that shows
otherwise in another dtype, check or mode has one for each. *observed* are the numbers that came, or
the accuracy class that they reach (`D`, `E`, or `F` for none, [bounds](bounds.md)).
"""
#: What is observed that is written out.
MOST = 8
SOURCE = DOCS / "reported.yaml"
_REPORTED = """# Reported defects and the cases that show them

Each line is a defect or a difference that was reported for one of the frameworks, or found without
a report, and that shows on the tested versions. The cases observe it; the profile of each backend
(`backends/profiles/`) has it as a policy or as an entry of its register of known defects. *within
the bound* means that the declared class allows the result, whose error in ulp is recorded; *as the
definition has it*, that the result is the normative one. `conformance explain CASE -b BACKEND`
shows any of them.

| report | about | cases | stands in |
|---|---|---|---|
"""
Text = Annotated[str, msgspec.Meta(min_length=1)]
_POLICIES = """# The semantics matrix

Where implementations legitimately differ, each choice has a name, a *policy*. A backend's profile
declares its choices. The cases observe them: of the values that a policy may take, those that
describe what was seen. Neither is derived from the other. `conformance list policies` prints what
is declared, `--observed RUN` adds what a run observed, and the summary of every run has a table
with a column for each backend. What differs from a declaration is in the [registers](findings.md).
How a policy is observed, and what follows where the two differ, is in [verdicts and
policies](semantics.md).

"""


def findings_text(defects: list[dict[str, Any]]) -> str:
    """Markdown of the rows that ``conformance list defects --format json`` gives."""
    lines = [_FINDINGS, *_counts(defects)]
    for backend, rows in groupby(defects, key=lambda row: row["backend"]):
        found = sorted(rows, key=lambda row: _grave(row["severity"]))
        lines.append(f"## {escape(backend)} ({len(found)})\n")
        for row in found:
            lines.append(f"### {escape(row['defect'])}\n")
            lines.append(wrapped(escape(f"{row['title']}. {row['why']}")) + "\n")
            where = ", ".join([*row["ops"], *row["dtypes"], *row["checks"]])
            unraised = "no error where one is due" if row["checks"] == ["error"] else ""
            more = [f"and {len(row['seen']) - MOST} more"] if len(row["seen"]) > MOST else []
            seen = ", ".join([*row["seen"][:MOST], *more]) or row["message"] or unraised
            if row["severity"]:
                lines.append(f"- severity: {row['severity'].replace('-', ' ')}")
            lines.append(wrapped(f"- where: {escape(where)}; observed: {escape(seen) or 'see the command'}", "  "))
            on = f"{escape('; '.join(row['seen_on']))}{_range(row['versions'])}"
            lines.append(wrapped(f"- on: {on}; confirmed {row['date']}", "  "))
            if row["machine"]:
                lines.append(wrapped(f"- depends on the machine: {escape(row['machine'])}", "  "))
            if row.get("intermittent"):
                lines.append("- comes and goes: of these calls any result may come, or the process may end")
            lines.append(f"- upstream: {address(row['issue'])}")
            lines.append(f"- `{row['shown_by']}`\n")
    return "\n".join(lines)


def _grave(severity: str | None) -> int:
    """The place of a severity among all, the gravest first."""
    return [*SEVERITIES, severity].index(severity)


def _counts(defects: list[dict[str, Any]]) -> list[str]:
    """What each severity means, and a table of the number of entries by backend and severity."""
    shown = [each for each in SEVERITIES if any(row["severity"] == each for row in defects)]
    named = {each: each.replace("-", " ") for each in shown}
    lines = [wrapped(f"- *{named[each]}*: {SEVERITIES[each]}", "  ") for each in shown]
    lines += ["", f"| backend | {' | '.join(named.values())} | in all |", f"|---{'|---' * len(shown)}|---|"]
    for backend in [*dict.fromkeys(row["backend"] for row in defects), ""]:
        rows = [row for row in defects if row["backend"] == backend or not backend]
        numbers = [sum(row["severity"] == each for row in rows) for each in shown] + [len(rows)]
        lines.append(f"| {escape(backend) or '*all*'} | {' | '.join(str(each or '') for each in numbers)} |")
    return [*lines, ""]


def _range(versions: str) -> str:
    return f" (entry for {escape(versions)})" if versions else ""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``stands`` maps a backend to ``policy:NAME``, ``register:ID``, ``bound`` or ``normative``.

    ``outside`` says why there is no case.
    """

    report: Text
    about: Text
    cases: list[Text]
    stands: dict[str, list[Text]]
    outside: str = ""


def read_reports() -> list[Report]:
    """The reports; raises UsageError where the file is not as it should be."""
    try:
        return msgspec.convert(read(SOURCE), list[Report])
    except msgspec.ValidationError as error:
        raise UsageError(f"not a list of reports: {error}", place=Place(SOURCE), hint="see its first entries") from None


def reported_text(reports: Sequence[Report]) -> str:
    """The page in Markdown."""
    return _REPORTED + "\n".join(_line(each) for each in reports) + "\n"


def _line(each: Report) -> str:
    repository, _, number = each.report.partition("#")
    report = f"[{escape(each.report)}](https://github.com/{repository}/issues/{number})" if number else each.report
    cases = ", ".join(f"`{case}`" for case in each.cases)
    places = [f"{escape(backend)}: {', '.join(map(_place, places))}" for backend, places in each.stands.items()]
    stands = "<br>".join([*places, *([escape(each.outside)] if each.outside else [])])
    return f"| {report} | {escape(each.about)} | {cases or '–'} | {stands} |"


_WITHOUT_ENTRY = {"bound": "*within the bound*", "normative": "*as the definition has it*"}


def _place(place: str) -> str:
    kind, _, name = place.partition(":")
    return f"{kind} `{name}`" if name else _WITHOUT_ENTRY[kind]


def policies_text(merged: Merged) -> str:
    """The page in Markdown."""
    return _POLICIES + "\n".join(semantics_by_value(semantics(merged.relations))) + "\n"


@click.command()
@click.argument("page", type=click.Choice(["findings", "policies", "reported", "versions", "versions-data"]))
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN...]")
@click.option("--keep", is_flag=True, help="versions-data: leave what is recorded of other backends than the runs'.")
def command(page: str, runs: tuple[Path, ...], keep: bool) -> int:
    """Print a page of docs, in Markdown; the policies, and the data of the versions, are those that the runs show."""
    if page in ("policies", "versions-data") and not runs:
        raise click.UsageError("name the runs that observed them")
    if page == "policies":
        sys.stdout.write(policies_text(merge(runs)))
    elif page == "versions-data":
        kept = read_histories() if keep else []
        sys.stdout.write(histories_data(recorded(version_histories(merge(runs).relations)), kept))
    elif page == "versions":
        sys.stdout.write(versions_text(read_histories(), read_frameworks()))
    elif page == "reported":
        sys.stdout.write(reported_text(read_reports()))
    else:
        listed = [sys.executable, "-m", "conformance", "list", "defects", "--format", "json"]
        done = subprocess.run(listed, check=True, capture_output=True, text=True, encoding="utf-8")
        sys.stdout.write(findings_text(json.loads(done.stdout)))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(command, name="python -m conformance.reports.documents", ends=True))

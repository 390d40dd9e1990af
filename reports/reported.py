"""Writes docs/reported.md from docs/reported.yaml: ``python -m conformance.reports.reported > docs/reported.md``.

Reported defects of the frameworks, the cases that observe each, and where it stands in a profile.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from conformance.cases.yaml12 import read
from conformance.model.errors import Place, UsageError
from conformance.places import DOCS
from conformance.reports.escape import escape

__all__ = ["SOURCE", "Report", "read_reports", "reported_text"]

SOURCE = DOCS / "reported.yaml"
_HEAD = """# Reported defects and the cases that show them

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


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``stands`` maps a backend to ``policy:NAME``, ``register:ID``, ``bound`` or ``normative``.

    ``outside`` says why there is no case.
    """

    report: Text
    about: Text
    cases: list[Text]
    stands: dict[str, list[Text]]
    outside: str = ""


def read_reports(file: Path = SOURCE) -> list[Report]:
    """The reports of a file; raises UsageError where it is not as it should be."""
    try:
        return msgspec.convert(read(file), list[Report])
    except msgspec.ValidationError as error:
        raise UsageError(f"not a list of reports: {error}", place=Place(file), hint="see its first entries") from None


def reported_text(reports: Sequence[Report]) -> str:
    """The page in Markdown."""
    return _HEAD + "\n".join(_line(each) for each in reports) + "\n"


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


if __name__ == "__main__":
    sys.stdout.write(reported_text(read_reports()))

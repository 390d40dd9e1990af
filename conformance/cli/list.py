"""``conformance list``: what there is. Plain text or JSON, and nothing imported that is not needed for it."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.options import PATH, cases_option, format_option, select_option
from conformance.cli.tables import Row, write_rows
from conformance.model.errors import UsageError
from conformance.places import CASES

__all__ = ["command"]

TOPICS = ("cases", "backends", "flags", "policies", "defects", "verdicts", "themes", "schemas")
#: Topics about cases: only these can be narrowed down.
OF_CASES = ("cases", "flags", "themes")


@click.command(
    "list",
    epilog="Examples: `conformance list`; `conformance list backends`; "
    "`conformance list cases -k 'softmax and axis'`; `conformance list policies --observed results/all`.",
)
@click.argument("topic", type=click.Choice(TOPICS), default="cases")
@cases_option
@select_option
@format_option("A table for people, or one JSON array.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the topic's JSON, and end.")
@click.option(
    "--observed",
    "runs",
    multiple=True,
    type=PATH,
    metavar="RUN",
    help="Policies only: what was observed in RUN beside what was declared there. Repeat for several.",
)
def command(
    topic: str, paths: tuple[Path, ...], expression: str | None, style: str, schema: bool, runs: tuple[Path, ...]
) -> int:
    """List cases, backends, flags, policies, known defects, verdicts, themes, or JSON Schemas."""
    if schema:
        from conformance.schemas.registry import schema_text

        click.echo(schema_text(f"list-{topic}"), nl=False)
        return 0
    if runs and topic != "policies":
        raise UsageError(f"{topic} are not observed in a run", hint="list policies, or leave out --observed")
    if topic in OF_CASES:
        rows = _of_cases(topic, paths, expression)
    elif paths or expression is not None:
        raise UsageError(
            f"{topic} do not depend on cases", hint=f"leave out --cases and -k, or list {', '.join(OF_CASES)}"
        )
    elif topic == "backends":
        from conformance.cli.inventory import backend_rows

        rows = backend_rows()
    elif topic == "policies":
        from conformance.cli.inventory import observed_rows, policy_rows

        rows = observed_rows(runs) if runs else policy_rows()
    elif topic == "defects":
        from conformance.cli.inventory import defect_rows

        rows = defect_rows()
    elif topic == "schemas":
        from conformance.schemas.registry import DOCUMENTS

        rows = [
            {"schema": name, "title": each.title, "written_by": each.written_by} for name, each in DOCUMENTS.items()
        ]
    else:
        from conformance.model.verdicts import NONCONFORMING, VERDICTS

        rows = [{"verdict": v, "says": says, "fails_a_run": v in NONCONFORMING} for v, says in VERDICTS.items()]
    write_rows(rows, style, one=topic.removesuffix("s") if topic != "policies" else "policy", several=topic)
    return 0


def _of_cases(topic: str, paths: tuple[Path, ...], expression: str | None) -> list[Row]:
    """Rows on the selected cases, on their flags, or on their themes, in the order of the files."""
    from conformance.cases.load import load_suite
    from conformance.cases.select import select

    suite = load_suite(paths or (CASES,))
    entries = select(suite.entries, expression=expression)
    if topic == "cases":
        return [
            {
                "case": entry.case.id,
                "theme": entry.theme,
                "op": entry.case.op,
                "flags": list(entry.case.flags),
                "dtypes": list(entry.case.dtypes),
                "file": str(entry.file),
                "why": entry.case.why,
            }
            for entry in entries
        ]
    if topic == "themes":
        themes: dict[str, list[str]] = {}
        for entry in entries:
            themes.setdefault(entry.theme, []).append(entry.case.op)
        return [{"theme": name, "cases": len(ops), "ops": sorted(set(ops))} for name, ops in themes.items()]
    counts: dict[str, int] = {}
    for entry in entries:
        for flag in entry.case.flags:
            counts[flag] = counts.get(flag, 0) + 1
    notes = suite.notes.flags if suite.notes else {}
    known = [name for name in notes if expression is None or name in counts]
    return [
        {
            "flag": name,
            "cases": counts.get(name, 0),
            "bug_class": notes[name].bug_class if name in notes else "",
            "effect": notes[name].effect if name in notes else "",
            "references": list(notes[name].references) if name in notes else [],
        }
        for name in dict.fromkeys([*known, *counts])
    ]

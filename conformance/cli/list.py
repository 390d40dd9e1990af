"""``conformance list``: what there is. Plain text or JSON, and nothing imported that is not needed for it."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.options import PATH, cases_option, format_option, select_option
from conformance.cli.tables import write_rows
from conformance.model.errors import UsageError
from conformance.places import CASES

__all__ = ["command"]

#: What a row is called, by topic. Only those that are about cases can be narrowed down.
OF_CASES = {"cases": "case", "flags": "flag", "themes": "theme"}
OTHERS = {
    "backends": "backend",
    "policies": "policy",
    "defects": "defect",
    "verdicts": "verdict",
    "layouts": "layout",
    "schemas": "schema",
}
TOPICS = ("cases", "backends", "flags", "policies", "defects", "verdicts", "themes", "layouts", "schemas")


@click.command(
    "list",
    help=f"List what there is of a TOPIC: {', '.join(TOPICS[:-1])} or {TOPICS[-1]}; cases by default.",
    epilog="Examples: `conformance list`; `conformance list backends`; "
    "`conformance list cases -k 'softmax and axis'`; `conformance list policies --observed results/all`.",
)
@click.argument("topic", type=click.Choice(TOPICS), default="cases", metavar="[TOPIC]")
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
    """List what there is of a topic."""
    if schema:
        from conformance.schemas.registry import schema_text

        click.echo(schema_text(f"list-{topic}"), nl=False)
        return 0
    if runs and topic != "policies":
        raise UsageError(f"{topic} are not observed in a run", hint="list policies, or leave out --observed")
    if topic not in OF_CASES and (paths or expression is not None):
        raise UsageError(
            f"{topic} do not depend on cases", hint=f"leave out --cases and -k, or list {', '.join(OF_CASES)}"
        )
    from conformance.cli import inventory

    if topic in OF_CASES:
        rows = inventory.OF_CASES[topic](paths or (CASES,), expression)
    else:
        rows = inventory.observed_rows(runs) if runs else inventory.OTHERS[topic]()
    write_rows(rows, style, one={**OF_CASES, **OTHERS}[topic], several=topic)
    return 0

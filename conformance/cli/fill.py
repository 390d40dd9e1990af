"""``conformance fill``."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.options import PATH, cases_option
from conformance.places import CASES
from conformance.plain import on_terminal, plural, say

__all__ = ["command"]


@click.command(
    "fill",
    epilog="Examples: `conformance fill`; `conformance fill my_cases/new.yaml`; `conformance fill --check`.",
)
@click.argument("files", nargs=-1, type=PATH, metavar="[PATH]...")
@cases_option
@click.option("--check", is_flag=True, help="Only say which cases have no expected values; write nothing.")
def command(files: tuple[Path, ...], paths: tuple[Path, ...], check: bool) -> int:
    """Compute missing expected values into case files, 17 digits each; every other byte stays as it is."""
    from conformance.cases.fill import fill
    from conformance.oracle.text import expected_text

    filled = fill((*files, *paths) or (CASES,), expected_text, write=not check)
    for each in filled:
        # Ids are plain words, and all of them are wanted: only the file's name may be anybody's.
        click.echo(f"{on_terminal(each.file)}: {'would fill' if check else 'filled'} {', '.join(each.ids)}")
    count = sum(len(each.ids) for each in filled)
    done = "would be filled" if check else "filled"
    say(f"{plural(count, 'case')} {done} in {plural(len(filled), 'file')}", err=True)
    return 0

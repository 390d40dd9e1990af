"""``conformance dossier``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import cases_option, folder_option, runs_argument
from conformance.plain import say

if TYPE_CHECKING:
    from conformance.reports.merge import Merged

__all__ = ["command", "write_all"]


@click.command("dossier", epilog="Example: `conformance dossier results/all --output results/dossier`.")
@runs_argument
@folder_option("Folder for the files.", required=True)
@cases_option
def command(runs: tuple[Path, ...], output: Path, paths: tuple[Path, ...]) -> int:
    """Write a Markdown file for each framework or kernel: every defect, with its shortest stand-alone script.

    Needs neither the frameworks nor the machine that ran: results hold the adapters' source.
    """
    from conformance.disk import require_folder_place
    from conformance.reports.merge import merge

    require_folder_place(output)
    for path in write_all(merge(runs), paths, output).values():
        say(path)
    return 0


def write_all(merged: Merged, paths: tuple[Path, ...], output: Path, below: Path | None = None) -> dict[str, Path]:
    """Write the dossiers of frameworks and kernels, cases as ``paths`` have them (else the suite's own); their paths.

    They are named by these; ``below`` is the report's folder, out of which no link may lead.
    """
    from conformance.cases.load import load_suite
    from conformance.places import CASES
    from conformance.reports.dossier.dossier import write_dossiers

    entries = {each.case.id: each for each in load_suite(paths or (CASES,)).entries}
    return write_dossiers(merged, entries, output, below)

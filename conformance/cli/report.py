"""``conformance report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conformance.cli.exports import export_options, write_exports
from conformance.cli.options import cases_option, details_option, folder_option, runs_argument, schema_option
from conformance.plain import say

__all__ = ["command"]


@click.command("report", epilog="Example: `conformance report results/torch results/jax --output results/report`.")
@runs_argument
@folder_option("Folder for the report.", required=True)
@details_option(20, "Findings to show in full on the terminal.")
@cases_option
@export_options
@schema_option("badge")
def command(runs: tuple[Path, ...], output: Path, paths: tuple[Path, ...], details: int, **exports: Any) -> int:
    """Merge runs, from any number of machines, and report on all of them.

    A RUN is a run's folder, which `conformance run`, `conformance bench` or both have written to, or a folder of such
    folders; all the shards of a whole count as that whole. Writes a site into DIR (open DIR/index.html: it needs no
    server), DIR/summary.md, a dossier of each framework or kernel into DIR/dossier, and prints the matrix. The cases
    come from --cases.
    """
    from conformance.cli.dossier import write_all
    from conformance.disk import refuse_links_below, require_file_place, require_folder_place
    from conformance.oracle.derived import derived
    from conformance.reports.merge import merge
    from conformance.reports.site.build import write_site
    from conformance.reports.terminal import print_merged
    from conformance.repro.script import reproducer

    require_folder_place(output)  # what cannot be written is refused before anything is read
    for name in ("index.html", "summary.md"):
        require_file_place(output / name)
    for name in ("assets", "backends", "cases", "dossier"):
        refuse_links_below(output / name)
    merged = merge(runs)
    for note in merged.notes:
        say(f"note: {note}", err=True)
    print_merged(merged, output, details=details)
    write_exports(merged, paths, **exports)
    dossiers = write_all(merged, paths, output / "dossier", output)
    site = write_site(
        merged,
        output,
        cases=paths,
        reproduce=reproducer,
        derive=derived,
        dossiers={name: path.relative_to(output).as_posix() for name, path in dossiers.items()},
    )
    say(f"site: {site}")
    return 0

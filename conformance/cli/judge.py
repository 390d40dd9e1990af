"""``conformance judge``."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.options import PATH, cases_option, details_option, folder_option, format_option, schema_option
from conformance.plain import say

__all__ = ["command"]


@click.command(
    "judge",
    epilog="Example: `conformance judge results.jsonl --vectors vectors --name my-kernel --output results/my-kernel`. "
    'A line of RESULTS is {"id": "CASE/float32/mean", "value": 0.5, "gradient": [-0.5, 0.5]}, or has "error" or '
    '"unsupported" and a text instead; NaN and infinities are strings. docs/vectors.md has more.',
)
@click.argument("results", type=PATH)
@click.option(
    "--vectors",
    type=PATH,
    required=True,
    metavar="DIR",
    help="The folder that `conformance export vectors` wrote, or its index.json.",
)
@click.option("--name", default="kernel", show_default=True, metavar="NAME", help="What reports call the kernel.")
@click.option(
    "--profile",
    metavar="PROFILE",
    help="What the kernel declares: a file NAME.profile.yaml with its classes and policies, or the name of one of the "
    "suite's profiles; without it the default classes and no policy.",
)
@cases_option
@folder_option("Folder for the results; results/<time> by default.")
@click.option("--replace", is_flag=True, help="Replace the run that --output holds, if there is one.")
@format_option("What goes to standard output.")
@details_option(20, "Findings to show in full on the terminal; all are in the results and the summary.")
@schema_option("vector-results", "run")
def command(
    results: Path,
    vectors: Path,
    name: str,
    profile: str | None,
    paths: tuple[Path, ...],
    output: Path | None,
    replace: bool,
    style: str,
    details: int,
) -> int:
    """Judge a kernel that was not called from Python, by what it gave for vectors.

    RESULTS is a file of JSON lines, one for each vector. They are judged as `conformance run` judges, against values
    and bounds that are computed anew from the cases, and not those in the vectors' files. Writes DIR/outcomes.jsonl,
    which `report` and `diff` read, and DIR/summary.md, and prints the matrix.
    """
    from conformance.cases.load import load_suite
    from conformance.disk import require_file_place
    from conformance.places import CASES, folder_of_now
    from conformance.reports.merge import merge
    from conformance.reports.terminal import print_run
    from conformance.vectors.judging import judge_vectors

    folder = output or folder_of_now()
    require_file_place(folder / "summary.md")
    entries = load_suite(paths or (CASES,)).entries
    judged = judge_vectors(results, vectors, entries, name=name, profile=profile, folder=folder, replace=replace)
    print_run(merge([folder]), folder, style=style, details=details)
    if judged.given < judged.vectors:
        say(f"{judged.vectors - judged.given} of {judged.vectors} vectors have no result", err=True)
    return judged.exit_code

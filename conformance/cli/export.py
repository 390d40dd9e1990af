"""``conformance export``: the cases in forms that other programs read."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.options import (
    cases_option,
    dtypes_option,
    folder_option,
    max_numbers_option,
    ops_option,
    quiet_option,
    schema_option,
    select_option,
)
from conformance.model.errors import UsageError
from conformance.plain import say

__all__ = ["command"]


@click.group(
    "export",
    epilog="Example: `conformance export vectors -k worked-examples --output vectors`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def command() -> None:
    """Write the cases in a form that other programs read."""


@command.command(
    "vectors",
    short_help="Write inputs, results and error bounds.",
    epilog="Examples: `conformance export vectors --quick --output vectors`; `conformance export vectors "
    "--op cross_entropy --dtype float32 --tensors raw --output vectors`. docs/vectors.md has a kernel in C++ that "
    "reads them; `conformance judge` takes its results.",
)
@cases_option
@select_option
@ops_option
@dtypes_option
@click.option("--quick", is_flag=True, help="The cases and dtypes of `conformance run --quick`.")
@click.option(
    "--tensors",
    type=click.Choice(["json", "npz", "safetensors", "raw"]),
    default="npz",
    show_default=True,
    help="Where numbers stand: all in the JSON; long tensors in a file for NumPy, or for safetensors; or all in a file "
    "of little-endian numbers, with an index of words between spaces, for readers without JSON.",
)
@click.option(
    "--inline",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    metavar="N",
    help="npz and safetensors: tensors of at most N numbers stand in the JSON.",
)
@max_numbers_option(1 << 14, "Leave out cases whose inputs hold more; index.json names them.")
@folder_option("Folder for the vectors.", required=True)
@quiet_option
@schema_option("vectors", "vectors-index", "vector-results")
def vectors(
    paths: tuple[Path, ...],
    expression: str | None,
    ops: tuple[str, ...],
    dtypes: tuple[str, ...],
    quick: bool,
    tensors: str,
    inline: int,
    max_numbers: int,
    output: Path,
    quiet: bool,
) -> int:
    """Write inputs, exact results and error bounds, to test a kernel in C++, Rust, Triton or a browser.

    A vector is one call: a case in a dtype and a reduction, with the result that is right, how far each accuracy class
    may be off, and what is right instead under each policy. There is DIR/THEME.json for each theme, with its tensors
    beside it, and DIR/index.json.
    """
    from conformance.cases.load import load_suite
    from conformance.cases.quick import load_quick, narrowed
    from conformance.cases.select import parse_dtypes, select
    from conformance.cases.stated import require_true_values
    from conformance.disk import require_folder_place
    from conformance.oracle.text import expected_text
    from conformance.places import CASES, QUICK
    from conformance.vectors.export import export_vectors

    require_folder_place(output)
    wanted = parse_dtypes(dtypes) if dtypes else None
    entries = list(load_suite(paths or (CASES,)).entries)
    if quick:
        entries = narrowed(entries, load_quick(QUICK), strict=not paths)
    entries = select(entries, expression=expression, dtypes=wanted)
    entries = [entry for entry in entries if not ops or entry.case.op in ops]
    if not entries:
        hint = "`conformance list cases` shows them; loosen -k, --op, --dtype or --quick"
        raise UsageError("no case is selected", hint=hint)
    require_true_values(entries, expected_text, except_below=CASES)
    done = export_vectors(
        entries,
        output,
        dtypes=wanted,
        tensors=tensors,  # type: ignore[arg-type]
        inline=inline,
        most=max_numbers,
        progress=lambda theme, count: None if quiet else say(f"{theme}: {count} vectors", err=True),
    )
    left = {each.case for each in done.index.left_out}
    cases = "case is" if len(left) == 1 else "cases are"
    also = f"; {len(left)} {cases} left out, in part or whole: see left_out in index.json" if left else ""
    say(f"{sum(done.index.themes.values())} vectors, {done.size / 1e6:.1f} MB: {output / 'index.json'}{also}")
    return 0

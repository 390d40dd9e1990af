"""``conformance import``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from conformance.cli.options import folder_option, format_option, max_numbers_option, ops_option, schema_option
from conformance.plain import json_text, on_terminal, plural, say

if TYPE_CHECKING:
    from conformance.foreign.take import Import

__all__ = ["command"]

#: The standings of values, as the table has them.
_COLUMNS = {
    "bound": "within the suite's bound",
    "tolerance": "within their own tolerance alone",
    "differs": "another definition",
    "open": "not defined",
}


@click.command(
    "import",
    epilog="Examples: `conformance import onnx --output mine`, then `conformance run -b torch --cases mine`; "
    "`conformance import opinfo --op cross_entropy --output mine`. docs/foreign.md says what is taken.",
)
@click.argument("source", type=click.Choice(["onnx", "opinfo"]))
@ops_option
@max_numbers_option(1 << 16, "Leave out tests whose inputs hold more; they are named.")
@folder_option("Folder for the case files: DIR/SOURCE/OPERATION.yaml.", required=True)
@format_option("What goes to standard output.")
@schema_option("import")
def command(source: str, ops: tuple[str, ...], max_numbers: int, output: Path, style: str) -> int:
    """Write the tests of another project as case files, and say how far its values agree with the truth.

    SOURCE is onnx, the node tests in the package onnx, or opinfo, the samples that PyTorch tests its operators with, in
    the package torch. Each case names the project, its version, the test and the license of its numbers. What a case
    cannot say is named with the reason.
    """
    from conformance.disk import require_folder_place
    from conformance.foreign.take import take_over

    require_folder_place(output)
    done = take_over(source, output, ops, max_numbers)  # type: ignore[arg-type]
    if style == "json":
        sys.stdout.write(json_text(done))
    else:
        _print(done)
    return 0


def _print(done: Import) -> None:
    """The table, what agrees only otherwise, and what was left out, each with its reason."""
    from conformance.cli.tables import aligned
    from conformance.foreign.agreement import Standing

    standings = Counter((each.op, each.standing) for each in done.agreements)
    ops = list(dict.fromkeys(op for op, _ in standings))
    body = [[op, *(str(standings[op, standing]) for standing in get_args(Standing))] for op in ops]
    total = [sum(standings[op, standing] for op in ops) for standing in get_args(Standing)]
    head = ["operation", *(_COLUMNS[standing] for standing in get_args(Standing))]
    sys.stdout.write("\n".join(aligned([head, *body, ["all", *map(str, total)]])) + "\n")
    for each in done.agreements:
        if each.standing != "bound":
            why = f"{each.policy}: {each.value}" if each.policy else "no policy explains it"
            say(f"{each.case}: {_COLUMNS[each.standing]}; {why}")
    for left in done.left_out:
        if left.reason != "same call":
            say(on_terminal(f"left out, {left.reason}: {left.test}: {left.detail}"))
    same = sum(1 for left in done.left_out if left.reason == "same call")
    versions = ", ".join(f"{name} {version}" for name, version in done.versions.items())
    count = len(done.agreements)
    say(f"{plural(count, 'case')} of {versions}; {same} more tests ask the same calls again")
    for file in done.files:
        say(on_terminal(file))

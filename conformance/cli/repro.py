"""``conformance repro``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.options import PATH, cases_option, folder_option
from conformance.model.errors import UsageError
from conformance.plain import say

__all__ = ["command"]


@click.command(
    "repro",
    epilog="Examples: `conformance repro two-equal-logits-at-1e8 -b optax`; "
    "`conformance repro mean-over-no-class -b torch --run results/all --issue`.",
)
@click.argument("case")
@click.option("-b", "--backend", "spec", required=True, metavar="SPEC", help="The backend, as `conformance run` takes.")
@click.option(
    "--run",
    type=PATH,
    metavar="DIR",
    help="Take the finding and the adapter's source from this run: the framework need not be installed.",
)
@cases_option
@click.option("--dtype", metavar="DTYPE", help="Only a finding in this dtype.")
@click.option("--reduction", metavar="NAME", help="Only a finding of this reduction: none, sum, mean, default.")
@click.option("--check", metavar="CHECK", help="Only a finding of this check: value, gradient, error, shift, ...")
@click.option("--layout", metavar="LAYOUT", help="Only a finding in this memory layout.")
@click.option("--issue", is_flag=True, help="Write the draft of the upstream issue, which holds the script.")
@folder_option("Write script and draft into this folder.")
def command(
    case: str,
    spec: str,
    run: Path | None,
    paths: tuple[Path, ...],
    dtype: str | None,
    reduction: str | None,
    check: str | None,
    layout: str | None,
    issue: bool,
    output: Path | None,
) -> int:
    """Write a script that shows a finding with nothing but the framework; a kernel of your own stands in the script.

    A kernel that calls its parent, and what a framework's template leaves out, is run through the suite instead.

    Where the options leave a choice, the worst finding of a call is taken: a failure, else a known defect, else a pass.
    """
    from conformance.cases.load import load_suite
    from conformance.cases.select import parse_dtypes
    from conformance.cli.explain import find_case
    from conformance.disk import require_folder_place
    from conformance.places import CASES
    from conformance.repro.findings import choose, observe, recorded
    from conformance.repro.script import reproducer

    if output:
        require_folder_place(output)
    entry = find_case(load_suite(paths or (CASES,)).entries, case)
    dtypes = parse_dtypes((dtype,)) if dtype else None
    findings = recorded(run, spec, case) if run else observe(entry, spec, dtypes)
    outcome = choose(findings, dtype=dtype, reduction=reduction, check=check, layout=layout)
    script = reproducer(entry, outcome, findings.record)
    if outcome.verdict in ("pass", "deviation"):
        what = "what is right" if outcome.verdict == "pass" else "what the profile declares"
        say(f"{outcome.check} is a {outcome.verdict} here: the script shows {what}", err=True)
    draft = ""
    if issue or output:
        from conformance.reports.dossier.issue import issue_text
        from conformance.repro.alone import output_of

        printed = None if run or outcome.verdict in ("crash", "timeout") else output_of(script.text)
        draft = issue_text(entry, outcome, findings.record, script, printed)
    if output:
        _write(output, f"{case}-{_word(findings.record.name)}", script.text, draft)
    else:
        sys.stdout.write(draft if issue else script.text)
    return 0


def _write(folder: Path, name: str, script: str, draft: str) -> None:
    from conformance.disk import write

    for suffix, text in ((".py", script), (".md", draft)):
        say(write(folder / f"{name}{suffix}", text))


def _word(name: str) -> str:
    word = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.")
    if not word:
        raise UsageError(f"{name!r} gives no file name", hint="leave out --output")
    return word

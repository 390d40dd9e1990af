"""``conformance explain``."""

from __future__ import annotations

import difflib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import cases_option, format_option, named_backends_option, schema_option
from conformance.model.errors import UsageError
from conformance.places import CASES
from conformance.plain import json_text

if TYPE_CHECKING:
    from conformance.cases.load import Entry
    from conformance.model.problem import Problem

__all__ = ["command"]

#: Bytes: a case that states a larger budget has no numbers that anyone could read.
MOST_MEMORY = 1 << 30


@click.command(
    "explain",
    epilog="Examples: `conformance explain probabilities-are-read-as-logits`; "
    "`conformance explain the-logarithm-is-natural -b torch -b my_kernel.py --dtype float32 --reduction mean`.",
)
@click.argument("case")
@named_backends_option("none by default")
@cases_option
@click.option("--dtype", metavar="DTYPE", help="The dtype to derive it in; the widest one of the case by default.")
@click.option(
    "--reduction",
    type=click.Choice(["none", "sum", "mean", "default"]),
    help="Only this reduction; those of the case by default.",
)
@click.option("--layout", metavar="LAYOUT", help="How its operands lie in memory; the case's first layout by default.")
@format_option("Lines for people, or one JSON object.", "text")
@schema_option("explain")
def command(
    case: str,
    backends: tuple[str, ...],
    paths: tuple[Path, ...],
    dtype: str | None,
    reduction: str | None,
    layout: str | None,
    style: str,
) -> int:
    """Derive a case's exact value line by line, and show what each backend named by -b gives for it.

    Also shows what common mistakes give for the same numbers. CASE is an id, as `conformance list` or
    `conformance smoke` prints it.
    """
    from conformance.cases.load import load_suite

    entry = find_case(load_suite(paths or (CASES,)).entries, case)
    entry, problem = _chosen(entry, dtype, reduction, layout)
    shown = (reduction,) if reduction else problem.reductions

    from conformance.oracle.derivation import derive
    from conformance.oracle.mistakes import mistakes

    derivation = derive(problem, shown)
    of = "mean" if "mean" in shown else shown[-1]
    wrong = mistakes(problem, of)
    from conformance.explain.answers import backend_answers

    of_values = of if problem.takes_targets else "none"
    reductions = shown if problem.takes_targets else ("none",)
    seen = backend_answers(entry, problem.dtype, backends, reductions, wrong, of_values) if backends else []
    if style == "json":
        whole = {"derivation": derivation, "mistakes": {"reduction": of, "results": wrong}, "backends": seen}
        sys.stdout.write(json_text(whole))
    else:
        from conformance.cli.explain_text import write_explanation

        write_explanation(derivation, wrong, of, seen, entry.case.policies)
    return max((each.exit_code for each in seen), default=0) if any(not each.error for each in seen) else 3 * bool(seen)


def find_case(entries: tuple[Entry, ...], name: str) -> Entry:
    """The case of that id, the call of the smoke test, or a random case; UsageError suggests near ones."""
    from conformance.corpus.random_cases import random_case
    from conformance.run.smoke import smoke_entries

    by_id = {entry.case.id: entry for entry in entries}
    by_id |= {entry.case.id: entry for entry in smoke_entries() if entry.case.id not in by_id}
    if name in by_id:
        return by_id[name]
    if (drawn := random_case(name)) is not None:
        return drawn
    near = difflib.get_close_matches(name, by_id, n=3) or [each for each in by_id if name.lower() in each][:3]
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    hint = f"{guess}`conformance list cases` shows the ids; --cases names files of your own"
    raise UsageError(f"there is no case {name!r}", hint=hint)


def _chosen(entry: Entry, dtype: str | None, reduction: str | None, layout: str | None) -> tuple[Entry, Problem]:
    """The case with what the options ask for, in one layout, and its problem in the dtype."""
    import msgspec

    from conformance.cases.checks import NORMALISERS
    from conformance.cases.expand import expand
    from conformance.cases.select import parse_dtypes
    from conformance.model.layouts import problem_of

    case = entry.case
    if case.budget.memory > MOST_MEMORY:
        size = case.budget.memory / 2**30
        raise UsageError(f"{case.id} needs {size:.1f} GiB: too large to be read", hint="explain a smaller case")
    if reduction and case.op in NORMALISERS:
        raise UsageError(f"{case.op} has no reduction", hint="leave out --reduction")
    reductions = case.reductions if reduction is None or reduction in case.reductions else (*case.reductions, reduction)
    dtypes = parse_dtypes((dtype,)) if dtype else case.dtypes
    if layout and (found := problem_of(layout)) is not None:
        raise UsageError(found[0], hint=found[1])
    layouts = (layout,) if layout else case.layouts[:1]
    case = msgspec.structs.replace(case, reductions=reductions, dtypes=dtypes, layouts=layouts)
    entry = replace(entry, case=case)
    expansion = expand(entry)
    if not expansion.problems:
        raise UsageError(
            "; ".join(dict.fromkeys(reason for _, reason in expansion.skipped)), hint="name another --dtype"
        )
    return entry, expansion.problems[0]

"""A stand-alone script for one finding: imports, versions, inputs, the call, and what comes of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.policies import NORMATIVE, POLICIES
from conformance.model.problem import Problem
from conformance.plain import blanked
from conformance.repro import kernel
from conformance.repro.forms import write
from conformance.repro.snippets import NotInTemplate, Snippets, has_template
from conformance.repro.writer import Reproducer, Script

__all__ = ["Reproducer", "problem_of", "reproducer"]

_COMPOSED = ("log_softmax", "nll_loss", "nll_loss_of_log_softmax")
#: Of a backend, what a template may write in another way.
_OPTIONS = ("execution", "composition", "precision", "ranks")


def reproducer(entry: Entry, outcome: Outcome, record: BackendRecord) -> Reproducer:
    """The script that shows ``outcome`` of the case ``entry`` on the backend that ``record`` describes.

    It needs nothing but the framework (and NumPy) where the framework has a template; a kernel of one's own stands in
    it as a function. What leans on the suite's adapter is run through the suite. Raises ``UsageError`` where there is
    no such problem, the inputs are too large, or the adapter's source is not recorded.
    """
    try:
        problem = problem_of(entry, outcome, record)
        for script in _ways(outcome, record):
            try:
                write(script, problem, outcome)
                return script.finished(_head(entry, outcome))
            except NotInTemplate:
                continue
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise UsageError(
            f"the record of {outcome.case!r} does not fit the case: {error}", hint="use the cases of that run"
        ) from None
    raise UsageError(f"{outcome.backend} has no script for the check {outcome.check!r}", hint="name another --check")


def _ways(outcome: Outcome, record: BackendRecord) -> Iterator[Script]:
    """The scripts to try, the best first: by the framework's template, and through the suite."""
    if not record.classes:
        raise UsageError("the adapter's source is not recorded", hint="run the suite again: results hold it now")
    template = next(filter(has_template, (record.profile, record.id.framework)), "")
    changed = kernel.replaced(record)
    own = changed & ({outcome.op, *_COMPOSED} if _is_composed(outcome) else {outcome.op})
    if template and changed <= kernel.OPERATIONS and len(own) <= 1 and "nll_loss" not in own - {outcome.op}:
        operation = next(iter(own), "")
        function = kernel.function_of(record, operation) if operation else []
        if function is not None:
            named = {option: getattr(record.id, option) for option in _OPTIONS}
            yield Script(Snippets(template, device=record.id.device or "cpu", **named), operation, function)
    yield Script(Snippets("suite", **kernel.template_facts(record)))


def _is_composed(outcome: Outcome) -> bool:
    """Whether the call is made of the two functions, by itself or beside the one that it is compared with."""
    return outcome.check == "composed" or outcome.op == "nll_loss_of_log_softmax"


def problem_of(entry: Entry, outcome: Outcome, record: BackendRecord) -> Problem:
    """The problem of the outcome; raises ``UsageError`` where the case has it no longer."""
    declared = record.policies.get("default-reduction")
    default: Any = NORMATIVE.default_reduction
    if declared is not None and declared.value in POLICIES["default-reduction"].values:
        default = declared.value
    for problem in expand(entry, dtypes=(outcome.dtype,), default_reduction=default).problems:
        if problem.layout == outcome.layout:
            return problem
    raise UsageError(
        f"case {entry.case.id!r} is not run in {outcome.dtype}, {outcome.layout}", hint="use the cases of that run"
    )


def _head(entry: Entry, outcome: Outcome) -> list[str]:
    why = " ".join(entry.case.why.split())
    reduction = f", reduction {outcome.reduction}" if outcome.reduction and outcome.reduction != "none" else ""
    what = f"{outcome.op}, {outcome.dtype}{reduction}: {outcome.check}"
    lines = [*textwrap.wrap(f"{entry.case.id}: {why}", 100), what]
    return [f"# {blanked(line)}" for line in lines]

"""How a reader sees a finding on his own machine: a stand-alone script where one can be made, and commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.dtypes import DTYPES
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.verdicts import severity
from conformance.model.wording import explain_command, named_cases
from conformance.plain import command_line
from conformance.reports.columns import Column
from conformance.repro.script import Reproducer

__all__ = ["Reproduce", "Scripts", "commands", "telling"]

#: Given a case, an outcome of it and the backend's record: a script, which needs the framework alone or the suite, too.
#: It may raise UsageError where there can be none.
Reproduce = Callable[[Entry, Outcome, BackendRecord], Reproducer | None]
#: Scripts for each backend, defect, operation and check.
MOST = 100
_CHECKS = ("value", "gradient", "error")
_DTYPES = ("float32", *(dtype for dtype in DTYPES if dtype != "float32"))


def telling(outcomes: Sequence[Outcome]) -> Outcome:
    """The finding that shows most: the worst verdict, a value rather than an identity, in the dtype that people use."""
    return min(outcomes, key=lambda o: (severity(o.verdict), _rank(_CHECKS, o.check), _rank(_DTYPES, o.dtype)))


def _rank(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


@dataclass(eq=False)
class Scripts:
    """Makes stand-alone scripts, the first ``MOST`` for each backend and defect; later cases show an earlier one.

    Some defects show in a hundred cases, and a script takes some thirty milliseconds to make.
    """

    reproduce: Reproduce | None = None
    _made: dict[tuple[Column, str], list[tuple[Reproducer, str]]] = field(default_factory=dict)

    def of(self, entry: Entry | None, column: Column, outcome: Outcome) -> tuple[Reproducer | None, str]:
        """The script for a finding and the case that it is of.

        None for a deviation, which is not a fault, and where there can be none.
        """
        if self.reproduce is None or entry is None or column.record is None or outcome.verdict == "deviation":
            return None, ""
        key = f"{outcome.defect.id} {outcome.op} {outcome.check}" if outcome.defect else ""
        made = self._made.setdefault((column, key), []) if key else []
        if len(made) >= MOST:
            return made[0]
        try:
            script = self.reproduce(entry, outcome, column.record)
        except UsageError:
            script = None
        if script is None:
            return (None, "")
        made.append((script, outcome.case))
        return script, outcome.case


def commands(column: Column, outcome: Outcome) -> list[str]:
    """Command lines that show the finding: the derivation beside what the backend gives, and the case alone."""
    return [
        explain_command(outcome, column.spec, column.cases),
        command_line("conformance", "repro", outcome.case, "-b", column.spec, *named_cases(column.cases)),
    ]

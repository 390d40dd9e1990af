"""Holds test backends against the suite's own cases: what each right one fails, and what kills each wrong one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from backends.contract import Backend
from backends.numpy import Numpy
from conformance.cases.load import Entry, load_suite
from conformance.judge.finding import Subject
from conformance.judge.profile import UNDECLARED, load_profile
from conformance.judge.verdict import NONCONFORMING
from conformance.run.local import LocalJudge
from conformance.run.plan import Plan
from conformance.run.results import Outcome
from tests.yardstick import wrong

__all__ = ["BATCH", "Court", "subject", "wrong_backends"]

ROOT = Path(__file__).resolve().parents[2]
#: Cases that are judged at a time: a wrong backend is mostly killed within the first batch.
BATCH = 32
#: The dtypes, and whether the identities are asked too, in the order in which a kill is searched for.
STAGES: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("float32",), False),
    (("float16", "bfloat16"), False),
    (("float64",), False),
    (("float64", "float32", "bfloat16", "float16"), True),
)


def wrong_backends() -> dict[str, list[type[Backend]]]:
    """Every wrong backend by the module that it is in, in order of definition."""
    found: dict[str, list[type[Backend]]] = {}
    for info in pkgutil.iter_modules(wrong.__path__):
        module = importlib.import_module(f"{wrong.__name__}.{info.name}")
        found[info.name] = [
            kind
            for name, kind in vars(module).items()
            if isinstance(kind, type) and issubclass(kind, Backend) and kind.__module__ == module.__name__ and name[0] != "_"
        ]
    return found


def subject(kind: type[Backend]) -> Subject:
    """What a backend is held to: NumPy's declarations for what derives from it, else nothing but the normative choices."""
    profile = load_profile(ROOT / "backends" / "profiles" / "numpy.yaml") if issubclass(kind, Numpy) else UNDECLARED
    return Subject(kind.__name__, profile=profile)


@dataclass(frozen=True, eq=False)
class Court:
    """Judges backends over ``entries``; plans, with all that the oracle computed for them, are kept between backends."""

    entries: Sequence[Entry]

    @staticmethod
    def of_the_suite() -> Court:
        return Court(load_suite([ROOT / "cases"]).entries)

    @cached_property
    def flags(self) -> dict[str, tuple[str, ...]]:
        """The flags of each case."""
        return {entry.case.id: entry.case.flags for entry in self.entries}

    @cached_property
    def whole(self) -> Plan:
        """Everything, in chunks as a run has them."""
        return Plan(self.entries)

    @cached_property
    def _stages(self) -> list[Plan]:
        """Everything in small pieces, each a mixture of all themes, the cheapest first."""
        count = max(1, -(-len(self.entries) // BATCH))
        batches = [self.entries[start::count] for start in range(count)]
        return [Plan(batch, dtypes, identities) for dtypes, identities in STAGES for batch in batches]

    def first_kill(self, kind: type[Backend]) -> Outcome | None:
        """The first non-conformity that shows, None for a survivor."""
        judge = LocalJudge(kind(), subject(kind))
        for plan in self._stages:
            for number in range(len(plan)):
                for unit in judge.judge(plan.chunk(number)):
                    for outcome in unit:
                        if outcome.verdict in NONCONFORMING:
                            return outcome
        return None

    def outcomes(self, kinds: Sequence[type[Backend]]) -> Iterator[tuple[type[Backend], Outcome]]:
        """Every outcome of every backend, chunk by chunk, so that the oracle does its work once."""
        judges = [(kind, LocalJudge(kind(), subject(kind))) for kind in kinds]
        for number in range(len(self.whole)):
            for kind, judge in judges:
                for unit in judge.judge(self.whole.chunk(number)):
                    yield from ((kind, outcome) for outcome in unit)

"""Holds test backends against the suite's own cases: what the right ones fail, and what kills each wrong one.

Everything goes batch by batch of cases, each batch past all backends in turn, so that the oracle works once and
memory stays flat.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pkgutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import Backend
from backends.numpy import Numpy
from conformance.cases.load import Entry, load_suite
from conformance.cases.model import TRANSFORMS
from conformance.judge.finding import Subject
from conformance.judge.profile import UNDECLARED, load_profile
from conformance.judge.verdict import NONCONFORMING
from conformance.results.records import Outcome
from conformance.run.plan import Plan
from conformance.worker.local import LocalJudge
from tests.yardstick import exact, sound, wrong

__all__ = [
    "Kind",
    "Trial",
    "every_kill",
    "first_kills",
    "in_parallel",
    "right_backends",
    "subject",
    "suite",
    "title",
    "unwanted",
    "wrong_backends",
]

Kind = type[Backend]
ROOT = Path(__file__).resolve().parents[2]
#: Cases in a batch.
BATCH = 24
ALL_DTYPES = ("float64", "float32", "bfloat16", "float16")
#: Where a defect is not one of a dtype, it shows in these.
USUAL = ("float32", "float16")
#: Dtypes, and whether the identities are asked too, in the order in which a kill is searched for.
STAGES: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("float32",), False),
    (("float16", "bfloat16"), False),
    (("float64",), False),
    (ALL_DTYPES, True),
)


def suite() -> Sequence[Entry]:
    """The suite's own cases; the environment variable YARDSTICK_CASES names another folder."""
    return load_suite([Path(os.environ.get("YARDSTICK_CASES", ROOT / "cases"))]).entries


def right_backends() -> list[Kind]:
    """The truth, the worst that is legal, and sound evaluations."""
    return [*exact.RIGHT, *sound.SOUND]


def wrong_backends() -> list[Kind]:
    """Every class in a module of ``wrong`` whose name does not begin with an underscore, in order of definition."""
    found: list[Kind] = []
    for info in pkgutil.iter_modules(wrong.__path__):
        module = importlib.import_module(f"{wrong.__name__}.{info.name}")
        own = [kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__]
        found += [
            kind for kind in own if isinstance(kind, type) and issubclass(kind, Backend) and kind.__name__[0] != "_"
        ]
    return found


def title(kind: Kind) -> str:
    """The module and the class, which name a wrong backend everywhere."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def subject(kind: Kind) -> Subject:
    """What a backend is held to: NumPy's declarations for what derives from it, else nothing but the normative
    choices.
    """
    profile = load_profile(ROOT / "backends" / "profiles" / "numpy.yaml") if issubclass(kind, Numpy) else UNDECLARED
    return Subject(kind.__name__, profile=profile)


@dataclass(frozen=True, eq=False)
class Trial:
    """Some cases in some dtypes, with or without the identities."""

    entries: Sequence[Entry]
    dtypes: Collection[str] = ALL_DTYPES
    identities: bool = True

    def batches(self) -> Iterator[Plan]:
        """The cases in batches, each a mixture of all themes."""
        count = max(1, -(-len(self.entries) // BATCH))
        for start in range(count):
            yield Plan(self.entries[start::count], self.dtypes, self.identities)

    def outcomes(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Outcome]]:
        """Every outcome of every backend."""
        judges = [(kind, LocalJudge(kind(), subject(kind))) for kind in kinds]
        for plan in self.batches():
            for number in range(len(plan)):
                for kind, judge in judges:
                    for unit in judge.judge(plan.chunk(number)):
                        yield from ((kind, outcome) for outcome in unit)

    def kills(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Outcome]]:
        """The first non-conformity of every backend that shows one; the backend is then left alone."""
        alive = {kind: LocalJudge(kind(), subject(kind)) for kind in kinds}
        for plan in self.batches():
            for number in range(len(plan)):
                for kind, judge in list(alive.items()):
                    units = judge.judge(plan.chunk(number))
                    kill = next((o for unit in units for o in unit if o.verdict in NONCONFORMING), None)
                    if kill is not None:
                        del alive[kind]
                        yield kind, kill


def first_kills(kinds: Sequence[Kind], entries: Sequence[Entry]) -> dict[str, Outcome]:
    """What kills each wrong backend first, by its title; survivors are missing. The cheapest stages come first."""
    found: dict[str, Outcome] = {}
    for dtypes, identities in STAGES:
        alive = [kind for kind in kinds if title(kind) not in found]
        if alive:
            found |= {title(kind): kill for kind, kill in Trial(entries, dtypes, identities).kills(alive)}
    return found


def unwanted(kinds: Sequence[Kind], entries: Sequence[Entry]) -> dict[str, list[Outcome]]:
    """Of each backend that should be right, every outcome that is neither a pass nor a declared deviation.

    The transforms are optional: a backend may offer none.
    """
    found: dict[str, list[Outcome]] = {title(kind): [] for kind in kinds}
    for kind, outcome in Trial(entries).outcomes(kinds):
        optional = outcome.verdict == "unsupported" and outcome.check in TRANSFORMS
        if outcome.verdict not in ("pass", "deviation") and not optional:
            found[title(kind)].append(outcome)
    return found


def every_kill(kinds: Sequence[Kind], entries: Sequence[Entry]) -> dict[str, dict[str, list[str]]]:
    """Of each wrong backend, by its title, all cases that kill it, each with the checks that do.

    Most cases are tried in float32 and float16, without identities. What that leaves open, a case that kills nothing
    or a
    backend that survives, is tried in every dtype with every identity.
    """
    found: dict[str, dict[str, list[str]]] = {title(kind): {} for kind in kinds}
    usual = [entry for entry in entries if set(USUAL) <= set(entry.case.dtypes)]
    others = [entry for entry in entries if not set(USUAL) <= set(entry.case.dtypes)]
    _add_kills(found, Trial(usual, USUAL, identities=False), kinds)
    _add_kills(found, Trial(others, identities=False), kinds)
    killers = {case for cases in found.values() for case in cases}
    _add_kills(found, Trial([entry for entry in entries if entry.case.id not in killers]), kinds)
    _add_kills(found, Trial(entries), [kind for kind in kinds if not found[title(kind)]])
    return found


def _add_kills(found: dict[str, dict[str, list[str]]], trial: Trial, kinds: Sequence[Kind]) -> None:
    if not trial.entries or not kinds:
        return
    for kind, outcome in trial.outcomes(kinds):
        if outcome.verdict in NONCONFORMING:
            checks = found[title(kind)].setdefault(outcome.case, [])
            if outcome.check not in checks:
                checks.append(outcome.check)


def in_parallel(jobs: Sequence[tuple[str, Sequence[Kind]]]) -> list[dict[str, Any]]:
    """The results of ``jobs``, each a function of this module by name and its backends, over the whole suite."""
    tasks = [(name, [f"{kind.__module__}:{kind.__name__}" for kind in kinds]) for name, kinds in jobs]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(tasks), os.cpu_count() or 1), context) as pool:
        return list(pool.map(_perform, tasks))


def _perform(task: tuple[str, list[str]]) -> dict[str, Any]:
    name, specs = task
    kinds = [
        getattr(importlib.import_module(module), kind) for module, _, kind in (spec.partition(":") for spec in specs)
    ]
    result: dict[str, Any] = globals()[name](kinds, suite())
    return result

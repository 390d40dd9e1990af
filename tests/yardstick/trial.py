"""Holds test backends against the suite's own cases: what the right ones fail, and what kills each wrong one.

Everything goes chunk by chunk of cases, each chunk past all backends in turn, so that the oracle works once and memory
stays flat.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.backends.contract import Backend
from conformance.cases.load import Entry
from conformance.cases.quick import load_quick, narrowed
from conformance.model.case import TRANSFORMS, Generator
from conformance.model.outcome import Outcome
from conformance.model.verdicts import NONCONFORMING
from conformance.places import QUICK
from conformance.run.judged import open_backend
from conformance.run.plan import Plan
from tests.yardstick.alike import ChunkJudge, Chunks, Contestant, RightKernel
from tests.yardstick.registry import subject, title

__all__ = [
    "ALL_DTYPES",
    "DEPTHS",
    "Kill",
    "Kind",
    "Pair",
    "Trial",
    "due_at",
    "first_kills",
    "is_ordinary",
    "kills_at",
    "logits",
    "quick_entries",
    "quick_survivors",
    "recorded_kills",
    "unwanted",
]

Kind = type[Backend]
#: A case and a dtype.
Pair = tuple[str, str]
ALL_DTYPES = ("float64", "float32", "bfloat16", "float16")
#: Where a defect is not one of a dtype, it shows here.
USUAL = ("float32",)
OTHERS = ("float64", "bfloat16", "float16")
#: How every kill is searched for: in the usual dtype, or in those of a case that has it not, each call made once, of
#: cases that are not ``LARGE``; of what survives those of them that the quick selection may take, in large cases too,
#: and in calls that are repeated; of what survives that, in the other dtypes; and of what is left in everything, with
#: the identities, which take two thirds of all calls and nearly always repeat what a value has shown.
DEPTHS = ("usual", "repeated", "others", "identities")
#: Cases that are looked at together while a kill is searched for: few, as most backends fall soon.
BATCH = 12
#: Cases after which a backend is opened anew: what its defect keeps of all cases, times hundreds, fills a machine.
MANY = 150
#: Logits of a case that is tried dtype by dtype, so that what the right backends know of one call is soon forgotten.
LARGE = 1 << 16
#: Dtypes, and whether the identities are asked too, in the order in which a kill is searched for.
STAGES: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("float32",), False),
    (("float16", "bfloat16"), False),
    (("float64",), False),
    (ALL_DTYPES, True),
)


@dataclass(frozen=True, order=True)
class Kill:
    """A check that a wrong backend fails."""

    case: str
    dtype: str
    check: str


@dataclass(frozen=True, eq=False)
class Trial:
    """Some cases in some dtypes, with or without the identities; ``batch`` cases at a time, a mixture of all themes.

    With ``once``, ``outcomes`` are those of backends that make each call once (see Contestant).
    """

    entries: Sequence[Entry]
    dtypes: Collection[str] = ALL_DTYPES
    identities: bool = True
    batch: int = 0
    once: bool = False

    def plans(self) -> Iterator[Plan]:
        """The cases in their batches; without these, each large case by itself, dtype by dtype."""
        if self.batch:
            count = -(-len(self.entries) // self.batch)
            for start in range(min(count, len(self.entries))):
                yield Plan(self.entries[start::count], self.dtypes, self.identities)
            return
        large = [entry for entry in self.entries if logits(entry) >= LARGE]
        for entry in large:
            for dtype in self.dtypes:
                yield Plan([entry], [dtype], self.identities)
        rest = [entry for entry in self.entries if entry not in large]
        for start in range(0, len(rest), MANY):
            yield Plan(rest[start : start + MANY], self.dtypes, self.identities)

    def outcomes(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Outcome]]:
        """Every outcome of every backend."""
        for plan in self.plans():
            opened = [(kind, Contestant(kind(), subject(kind), once=self.once)) for kind in kinds]
            right = RightKernel()
            for portion in plan.portions:
                judge = ChunkJudge(portion, right, once=self.once)
                for kind, contestant in opened:
                    yield from ((kind, outcome) for unit in judge.units(contestant) for outcome in unit)

    def kills(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Outcome]]:
        """The first non-conformity of every backend that shows one; the backend is then left alone."""
        alive = {kind: open_backend(kind(), subject=subject(kind)) for kind in kinds}
        for plan in self.plans():
            for portion in plan.portions:
                if not alive:
                    return
                chunks = Chunks(portion)
                for kind, backend in list(alive.items()):
                    units = backend.judge_chunk(chunks.of(backend)).units
                    kill = next((o for unit in units for o in unit if o.verdict in NONCONFORMING), None)
                    if kill is not None:
                        del alive[kind]
                        yield kind, kill


def logits(entry: Entry) -> int:
    """How many logits a case has; literal ones are always few."""
    given = entry.case.input
    return math.prod(given.shape or ()) if isinstance(given, Generator) else 0


def quick_entries(entries: Sequence[Entry]) -> list[Entry]:
    """The quick selection, in its order: those that kill most come first. Empty for other cases than the suite's."""
    return narrowed(entries, load_quick(QUICK), strict=False) if QUICK.is_file() else []


def recorded_kills(
    kinds: Sequence[Kind], entries: Sequence[Entry], recorded: Mapping[str, Pair]
) -> Iterator[tuple[Kind, Outcome]]:
    """The wrong backends that the case and dtype still kill which are on record for them, all of a case at once."""
    by_case = {entry.case.id: entry for entry in quick_entries(entries)}
    by_pair: dict[Pair, list[Kind]] = {}
    for kind in kinds:
        if title(kind) in recorded:
            by_pair.setdefault(recorded[title(kind)], []).append(kind)
    for (case, dtype), group in by_pair.items():
        if case in by_case and dtype in by_case[case].case.dtypes:
            yield from Trial([by_case[case]], [dtype], identities=False, batch=1).kills(group)


def first_kills(kinds: Sequence[Kind], entries: Sequence[Entry], recorded: Mapping[str, Pair]) -> dict[str, Outcome]:
    """What kills each wrong backend first, by its title; survivors are missing. The likeliest killers come first."""
    found = {title(kind): kill for kind, kill in recorded_kills(kinds, entries, recorded)}
    trials = [Trial(quick_entries(entries), ALL_DTYPES, identities=False, batch=BATCH)]
    trials += [Trial(entries, dtypes, identities, batch=2 * BATCH) for dtypes, identities in STAGES]
    for trial in trials:
        alive = [kind for kind in kinds if title(kind) not in found]
        if alive:
            found |= {title(kind): kill for kind, kill in trial.kills(alive)}
    return found


def quick_survivors(kinds: Sequence[Kind], entries: Sequence[Entry], recorded: Mapping[str, Pair]) -> list[str]:
    """The wrong backends that the quick selection does not kill, by title."""
    killed = {title(kind) for kind, _ in recorded_kills(kinds, entries, recorded)}
    rest = [kind for kind in kinds if title(kind) not in killed]
    trial = Trial(quick_entries(entries), ALL_DTYPES, identities=False, batch=BATCH)
    killed |= {title(kind) for kind, _ in trial.kills(rest)}
    return [title(kind) for kind in rest if title(kind) not in killed]


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


def kills_at(depth: str, kinds: Sequence[Kind], entries: Sequence[Entry]) -> dict[str, list[Kill]]:
    """Of each wrong backend, by its title, its kills by a value, a gradient, an error or the like at one depth."""
    found: dict[str, dict[Kill, None]] = {title(kind): {} for kind in kinds}
    unusual = [entry for entry in entries if not set(USUAL) <= set(entry.case.dtypes)]
    if depth == "usual":
        _add(found, Trial(_small(entries), USUAL, identities=False, once=True), kinds)
        _add(found, Trial(_small(unusual), OTHERS, identities=False, once=True), kinds)
    elif depth == "repeated":
        _add(found, Trial(entries, USUAL, identities=False), kinds)
        _add(found, Trial(unusual, OTHERS, identities=False), kinds)
    elif depth == "others":
        _add(found, Trial(_small(entries), OTHERS, identities=False), kinds)
    else:
        _add(found, Trial(entries), kinds)
    return {name: list(kills) for name, kills in found.items()}


def _small(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if logits(entry) < LARGE]


def due_at(depth: str, kills: Collection[Kill], entries: Mapping[str, Entry]) -> bool:
    """Whether a wrong backend is to be asked at a depth: ``kills`` by ``entries`` are those of it and of those before.

    It is as long as nothing has killed it that may be in the quick selection.
    """
    return depth == DEPTHS[0] or not any(is_ordinary(entries[kill.case]) for kill in kills)


def is_ordinary(entry: Entry) -> bool:
    """Whether the quick selection may take the case."""
    return logits(entry) < LARGE and entry.case.tier != "full"


def _add(found: dict[str, dict[Kill, None]], trial: Trial, kinds: Sequence[Kind]) -> None:
    if not kinds:
        return
    for kind, outcome in trial.outcomes(kinds):
        if outcome.verdict in NONCONFORMING:
            found[title(kind)][Kill(outcome.case, outcome.dtype, outcome.check)] = None

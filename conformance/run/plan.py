"""The plan of a run: its cases in portions. They are small, travel, and are asked and judged anywhere, in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from conformance.cases.load import Entry
from conformance.model.case import Case, CaseTier, Generator, OperationName
from conformance.model.dtypes import DtypeName
from conformance.model.policies import NORMATIVE, DefaultReduction
from conformance.run.costs import expected_cost

__all__ = ["Plan", "Portion", "RunBudget"]

_cases = msgspec.msgpack.Decoder(list[tuple[Case, Case | None]])
#: What cases have that may ask for labels out of range.
BAD_LABELS, BAD_LABEL_POLICIES = "label-range", frozenset({"label-out-of-range", "gradient-of-bad-label"})
#: Seconds that the cases of a chunk are expected to take with NumPy, unless one alone takes more: a run that is killed
#: loses the chunks under way. Small cases are many in a chunk, since most of what judging one costs is a chunk's.
MOST = 0.2
#: Of what a case costs by itself, one like it in the same chunk: they are judged in one block. The last chunks hold no
#: more of them than a part of what is left, so that several workers end together.
ALIKE, PART = 0.25, 1 / 8


@dataclass(frozen=True)
class RunBudget:
    """Cases whose stated budget exceeds these are left out: bytes and seconds of one call.

    ``process_memory``: bytes that a backend's process may take, 0 where that is not known.
    """

    memory: int = 2 << 30
    seconds: float = 60.0
    process_memory: int = 0

    def excess(self, case: Case) -> str:
        """Why the case is left out, or nothing."""
        if case.budget.memory > self.memory:
            return f"needs {case.budget.memory / 2**30:.1f} GiB, beyond {self.memory / 2**30:.1f} (--max-memory)"
        if case.budget.memory > self.process_memory > 0:
            needed, limit = case.budget.memory / 2**30, self.process_memory / 2**30
            return f"needs {needed:.1f} GiB, beyond the {limit:.1f} of a backend's process (--memory-limit)"
        if case.budget.seconds > self.seconds:
            return f"needs {case.budget.seconds:g} s, above the limit of {self.seconds:g} (--timeout)"
        return ""


@dataclass(frozen=True, eq=False)
class Portion:
    """Some consecutive cases of a run, and how they are to be asked: all that a chunk is made of.

    ``spared`` leaves out what makes a compiler start anew and adds little: cases of the tier ``full``, and identities
    of another shape or operation.

    ``default_reduction`` is what the backend takes where none is stated: the upstream gradient is of its value's shape;
    in ``default_reductions`` are operations that have another one. ``accepted`` are the dtypes that its operations
    take, where these are not all, and without ``gradients`` it is asked for values alone.
    ``lacks`` are operations that it does not have.
    """

    number: int
    entries: tuple[Entry, ...]
    dtypes: frozenset[str] | None = None
    identities: bool = True
    limits: RunBudget = field(default_factory=RunBudget)
    tier: CaseTier = "full"
    spared: bool = False
    default_reduction: DefaultReduction = NORMATIVE.default_reduction
    default_reductions: Mapping[OperationName, DefaultReduction] = field(default_factory=dict)
    accepted: Mapping[OperationName, tuple[DtypeName, ...]] = field(default_factory=dict)
    gradients: bool = True
    lacks: frozenset[str] = frozenset()

    def __getstate__(self) -> dict[str, Any]:
        """With the cases as msgpack: pickled one by one they take four times as long."""
        cases = msgspec.msgpack.encode([(each.case, each.stated) for each in self.entries])
        return self.__dict__ | {"entries": (cases, [(each.theme, each.file, each.index) for each in self.entries])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        cases, others = state["entries"]
        pairs = zip(_cases.decode(cases), others, strict=True)
        entries = (Entry(case, theme, file, index, stated) for (case, stated), (theme, file, index) in pairs)
        self.__dict__.update(state | {"entries": tuple(entries)})

    def asked_of(
        self,
        *,
        compiles: bool,
        default_reduction: DefaultReduction,
        default_reductions: Mapping[OperationName, DefaultReduction] | None = None,
        accepted: Mapping[OperationName, tuple[DtypeName, ...]] | None = None,
        gradients: bool = True,
        lacks: Collection[str] = (),
    ) -> Portion:
        """The portion as a backend is asked it.

        One that compiles anew for every shape, that has another default, whose operations take not every dtype, that
        has no gradients, or that ``lacks`` operations.
        """
        accepted = accepted or {}
        spared = compiles and self.tier != "full"
        default_reductions = default_reductions or {}
        if not any("default" in entry.case.reductions for entry in self.entries):
            default_reduction, default_reductions = self.default_reduction, self.default_reductions
        changes = {
            "spared": spared,
            "default_reduction": default_reduction,
            "default_reductions": default_reductions,
            "accepted": accepted,
            "gradients": gradients,
            "lacks": frozenset(lacks).intersection(entry.case.op for entry in self.entries),
        }
        same = all(getattr(self, name) == value for name, value in changes.items())
        return self if same else replace(self, **changes)  # type: ignore[arg-type]


class Plan:
    """The portions of a run, in the order of its cases; those with bad labels come last, in portions of their own.

    What a backend's process has been asked such calls is asked nothing else any more: so it need not be replaced.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        dtypes: Collection[str] | None = None,
        identities: bool = True,
        limits: RunBudget | None = None,
        tier: CaseTier = "full",
    ) -> None:
        wanted = None if dtypes is None else frozenset(dtypes)
        self.portions = [
            Portion(number, tuple(each), wanted, identities, limits or RunBudget(), tier)
            for number, each in enumerate(portion for part in _parts(entries) for portion in _portions(part))
        ]

    def __len__(self) -> int:
        return len(self.portions)


def _parts(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    parts: tuple[list[Entry], list[Entry]] = [], []
    for entry in entries:
        parts[BAD_LABELS in entry.case.flags or not BAD_LABEL_POLICIES.isdisjoint(entry.case.policies)].append(entry)
    return parts


def _portions(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    costs = [expected_cost(entry.case) for entry in entries]
    left = sum(costs)
    portion: list[Entry] = []
    kinds: set[object] = set()
    alone = together = 0.0
    for entry, cost in zip(entries, costs, strict=True):
        kind = _kind(entry.case)
        alone += cost
        together += ALIKE * cost if kind in kinds else cost
        if portion and alone > MOST and together > min(MOST, ALIKE * PART * left):
            yield portion
            left -= alone - cost
            portion, kinds, alone, together = [], set(), cost, cost
        portion.append(entry)
        if kind is not None:
            kinds.add(kind)
    if portion:
        yield portion


def _kind(case: Case) -> object:
    """What cases that are judged in one block have in common; None where their text does not show it."""
    given = case.input
    if not isinstance(given, Generator) or given.shape is None:
        return None
    return case.op, *given.shape, case.dtypes, case.layouts, case.reductions, case.transforms

"""The register of known defects: narrow entries, and strict ones.

An entry turns the fails that it describes into ``known``. One that covers checks which were made, and of which none
fails as described, is stale, which is a failure of the register. Both follow from outcomes alone: neither the order of
units nor what ran before makes a difference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from typing import Any

import msgspec

from conformance.model.errors import UsageError
from conformance.model.outcome import DefectRef, Outcome
from conformance.profiles.profile import COMPOSED, DEFAULT, Defect
from conformance.profiles.subject import Subject
from conformance.profiles.versions import is_range, is_within

__all__ = [
    "PLAIN",
    "Evidence",
    "MemoryErrors",
    "apply_register",
    "entries_due",
    "entries_for",
    "errors_of_parts",
    "is_of_part",
]

#: The checks of a call that is not transformed: what came of it, or that it was refused.
PLAIN = ("value", "error")
#: Verdicts of calls that say nothing of a defect.
_SILENT = frozenset({"not run", "unsupported", "error"})


def entries_for(subject: Subject) -> tuple[Defect, ...]:
    """The entries of the subject's profile that hold for its version and options, and for its own operations.

    Raises UsageError for an entry whose versions are not a specifier.
    """
    return tuple(entry for entry in subject.profile.known if _applies(entry, subject))


def entries_due(subject: Subject) -> tuple[Defect, ...]:
    """Those of them that must show: on another device than the processor, the ones whose ``modes`` name that device.

    The others were seen on the processor, and may or may not be there elsewhere.
    """
    device = subject.id.device
    return tuple(each for each in entries_for(subject) if device in ("", "cpu") or device in each.modes)


def errors_of_parts(subject: Subject) -> tuple[Defect, ...]:
    """The entries that hold for a composition of which one part is a user's own code, and the other is not."""
    return tuple(
        msgspec.structs.replace(entry, ops=[operation])
        for entry in entries_for(subject)
        for operation in COMPOSED
        if operation in subject.overridden and is_of_part(entry, operation, subject.overridden)
    )


def is_of_part(entry: Defect, operation: str, foreign: Collection[str]) -> bool:
    """Whether an entry says what a part of a composition raises that is not among the ``foreign`` operations.

    It names the composition and that part. A number may come of either part, so that only errors are so described.
    """
    parts = {part for whole, of in COMPOSED.items() if whole == operation for part in of}.intersection(entry.ops)
    return operation in entry.ops and bool(entry.message and parts) and parts.isdisjoint(foreign)


def apply_register(entries: Sequence[Defect], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of one unit (case, dtype, layout), ``known`` where an entry describes the fail.

    A call that a known defect spoils says nothing of a policy: what it looks like is part of that defect. A fail of
    another case that an entry would describe names that entry as the one that it ``resembles``, and stays a fail; an
    entry that says of its cases alone that no error came, and not of what input, describes no other. Of what an entry
    leaves open there is one outcome for each plain call, or for each other call that the entry is about, which is the
    same whatever comes.
    """
    outcomes = _opened([each for each in entries if each.intermittent], outcomes)
    if not entries or all(each.verdict == "pass" for each in outcomes):
        return list(outcomes)
    found = [_recognised(entries, outcome) for outcome in outcomes]
    spoilt = {each.reduction: each.defect for each in found if each.defect is not None and each.check != "policy"}
    return [
        _known(each, spoilt[each.reduction])
        if each.check == "policy" and each.verdict == "fail" and each.reduction in spoilt
        else each
        for each in found
    ]


@dataclass(frozen=True, eq=False)
class MemoryErrors:
    """The memory errors of which a register names the cases: it is known before a call that it may harm its process.

    A pattern with ``*`` names none: which of the calls that it matches show the defect is seen only once they are made.
    """

    entries: Mapping[str, Sequence[Defect]]  # by case
    overridden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, subject: Subject) -> MemoryErrors:
        """Those that hold for the subject."""
        named: dict[str, list[Defect]] = {}
        for entry in entries_for(subject):
            for case in entry.cases if entry.severity == "memory-error" else ():
                if "*" not in case:
                    named.setdefault(case, []).append(entry)
        return cls(named, subject.overridden)

    def includes(self, case: str, dtype: str, operation: str) -> bool:
        """Whether a call of a case may harm its process. Its other operations count: a loss may be composed of them."""
        if operation in self.overridden:
            return False
        return any(not entry.dtypes or dtype in entry.dtypes for entry in self.entries.get(case, ()))

    def leaves_open(self, case: str, dtype: str, operation: str) -> bool:
        """Whether an entry leaves open what comes of it."""
        if operation in self.overridden:
            return False
        return any(_leaves_open(entry, case, dtype, operation) for entry in self.entries.get(case, ()))


@dataclass(eq=False)
class Evidence:
    """What the outcomes of a backend say of its register's entries; they may come in any order, one by one.

    The result holds for a run of every case in every dtype: one that is narrowed covers cases in part.
    """

    entries: Sequence[Defect]
    #: Entry and case to the first outcome, by what names it, that was covered.
    _covered: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    _shown: set[tuple[str, str]] = field(default_factory=set)
    #: The entries that speak of a check, operation, dtype and reduction.
    _of_kind: dict[tuple[str, ...], list[Defect]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Take note of an outcome to which the register has been applied."""
        if outcome.verdict in _SILENT or outcome.check == "register" or not self._names.match(outcome.case):
            return
        kind = (outcome.check, outcome.op, outcome.dtype, outcome.reduction)
        if kind not in self._of_kind:
            self._of_kind[kind] = [entry for entry in self.entries if _is_of_its_kind(entry, outcome)]
        for entry in self._of_kind[kind]:
            if not _is_of_its_cases(entry, outcome):
                continue
            key = (entry.id, outcome.case)
            if outcome.verdict == "known" and outcome.defect is not None and outcome.defect.id == entry.id:
                self._shown.add(key)
                return
            self._cover(key, outcome)

    def __post_init__(self) -> None:
        self._names = _any_of(tuple(each for entry in self.entries for each in entry.cases))

    def merge(self, other: Evidence) -> None:
        """Take note of what ``other``, of the same entries, has noted."""
        self._shown |= other._shown
        for key, outcome in other._covered.items():
            self._cover(key, outcome)

    def _cover(self, key: tuple[str, str], outcome: Outcome) -> None:
        first = self._covered.get(key)
        if first is None or _place(outcome) < _place(first):
            self._covered[key] = outcome

    def stale(self) -> list[Outcome]:
        """One outcome for every entry that was covered and did not show.

        A case that an entry names must show the defect; of the cases that a pattern with ``*`` covers, one must. An
        entry whose ``machine`` says what it depends on is never stale, nor is one that is ``intermittent``.
        """
        found: list[Outcome] = []
        for entry in self.entries:
            if entry.machine or entry.intermittent:
                continue
            covered = {case: outcome for (name, case), outcome in sorted(self._covered.items()) if name == entry.id}
            shown = {case for name, case in self._shown if name == entry.id}
            missing = {case: outcome for case, outcome in covered.items() if case in entry.cases and case not in shown}
            if covered and not shown and not missing:
                missing = dict([next(iter(covered.items()))])
            found += [_stale(entry, outcome) for outcome in missing.values()]
        return found


@lru_cache(maxsize=64)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Matches the cases of any entry: nearly all others are of none."""
    return re.compile("|".join(map(translate, patterns)) or "(?!)")


def _stale(entry: Defect, outcome: Outcome) -> Outcome:
    return _of_entry(entry, outcome, check="register", verdict="stale", reason="stale")


def _of_entry(entry: Defect, outcome: Outcome, **facts: Any) -> Outcome:
    """What an entry says in place of an outcome, of which nothing stands but what names its call."""
    return Outcome(
        case=outcome.case,
        theme=outcome.theme,
        backend=outcome.backend,
        dtype=outcome.dtype,
        layout=outcome.layout,
        op=outcome.op,
        reduction=outcome.reduction,
        defect=_reference(entry),
        **facts,
    )


def _place(outcome: Outcome) -> tuple[str, ...]:
    return (outcome.dtype, outcome.layout, outcome.op, outcome.reduction, outcome.check, outcome.policy, outcome.aspect)


def _recognised(entries: Sequence[Defect], outcome: Outcome) -> Outcome:
    """The outcome as ``known``, or with the entry that it resembles, or as it is."""
    like: Defect | None = None
    for entry in entries:
        if outcome.verdict in entry.verdicts and _is_of_its_kind(entry, outcome) and _describes(entry, outcome):
            if _is_of_its_cases(entry, outcome):
                return _known(outcome, _reference(entry))
            if entry.says_what_is_seen:
                like = like or entry
    return outcome if like is None else msgspec.structs.replace(outcome, resembles=_reference(like))


def _leaves_open(entry: Defect, case: str, dtype: str, operation: str) -> bool:
    """Whether it leaves open all that comes of a case: what it is about are the plain calls."""
    named = entry.intermittent and case in entry.cases and not {*PLAIN}.isdisjoint(entry.checks)
    return named and (not entry.dtypes or dtype in entry.dtypes) and (not entry.ops or operation in entry.ops)


def _opened(entries: Sequence[Defect], outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """The outcomes of one unit, those in place of which ``entries`` leave open what comes."""
    for entry in entries:
        if not any(each.case in entry.cases for each in outcomes[:1]):
            continue
        plain = [each for each in outcomes if each.check in PLAIN]
        if plain and _leaves_open(entry, plain[0].case, plain[0].dtype, plain[0].op):
            return [_left_open(entry, each) for each in plain]
        outcomes = [_left_open(entry, each) if _is_of_its_kind(entry, each) else each for each in outcomes]
    return outcomes


def _left_open(entry: Defect, outcome: Outcome) -> Outcome:
    """What is the same whatever comes, and beside it what has come."""
    if outcome.verdict in _SILENT:
        return outcome
    return _of_entry(
        entry,
        outcome,
        check=outcome.check,
        verdict="known",
        reason="intermittent",
        observed=outcome.observed,
        error=outcome.error,
        seconds=outcome.seconds,
    )


def _known(outcome: Outcome, entry: DefectRef) -> Outcome:
    return msgspec.structs.replace(outcome, verdict="known", defect=entry, resembles=None)


def _reference(entry: Defect) -> DefectRef:
    return DefectRef(entry.id, entry.issue)


def _applies(entry: Defect, subject: Subject) -> bool:
    if entry.modes and {*entry.modes}.isdisjoint(_options(subject)):
        return False
    if not {*entry.without}.isdisjoint(_options(subject)):
        return False
    if entry.ops and subject.overridden.issuperset(entry.ops):
        return False
    if not is_range(entry.versions):
        raise UsageError(
            f"register entry {entry.id!r} has versions {entry.versions!r}",
            hint="write a specifier such as '>=2.10,<2.14'",
        )
    return is_within(subject.id.version, entry.versions)


def _options(subject: Subject) -> tuple[str, ...]:
    """What an entry may call the subject's options."""
    return subject.id.words if subject.id.composition else (*subject.id.words, DEFAULT)


def _is_of_its_cases(entry: Defect, outcome: Outcome) -> bool:
    return any(fnmatchcase(outcome.case, pattern) for pattern in entry.cases)


def _is_of_its_kind(entry: Defect, outcome: Outcome) -> bool:
    return (
        outcome.check in entry.checks
        and (not entry.ops or outcome.op in entry.ops)
        and (not entry.dtypes or outcome.dtype in entry.dtypes)
        and (not entry.reductions or outcome.reduction in entry.reductions)
    )


def _describes(entry: Defect, outcome: Outcome) -> bool:
    if entry.reached and outcome.class_ not in entry.reached:
        return False
    if entry.observed and str(outcome.observed) not in entry.observed:
        return False
    if entry.right_in and outcome.right_in != entry.right_in:
        return False
    if entry.at_most is not None and not (isinstance(outcome.ratio, float) and outcome.ratio <= entry.at_most):
        return False
    if entry.invalid and outcome.invalid not in entry.invalid:
        return False
    return not entry.message or (outcome.error is not None and entry.message in str(outcome.error))

"""The register of known defects: narrow entries, and strict ones.

An entry turns the fails that it describes into ``known``. One that covers checks which were made, and of which
none fails as described, is out of date: ``stale``, which is a failure of the register.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.judge.finding import Subject
from conformance.model.errors import UsageError
from conformance.model.records import DefectRef, Outcome
from conformance.model.wording import statement
from conformance.profiles.profile import Defect

__all__ = ["Register"]


@dataclass(eq=False)
class Register:
    """Applies a backend's register to its outcomes, and remembers what showed."""

    subject: Subject
    #: Whether every case and dtype is run: only then can an entry be called out of date.
    whole: bool = False
    _shown: set[tuple[str, str]] = field(default_factory=set)
    _covered: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    #: The entry that describes what failed in a call: (case, dtype, layout, reduction).
    _of_call: dict[tuple[str, ...], Defect] = field(default_factory=dict)
    _by_case: dict[str, list[Defect]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._entries = [d for d in self.subject.profile.known if _applies(d, self.subject)]

    def apply(self, outcome: Outcome) -> Outcome:
        """The outcome, ``known`` if an entry describes its fail.

        A call that a known defect spoils says nothing of a policy: what it looks like is part of that defect.
        """
        call = (outcome.case, outcome.dtype, outcome.layout, outcome.reduction)
        if outcome.check == "policy" and outcome.verdict == "fail" and call in self._of_call:
            return _known(outcome, self._of_call[call])
        for entry in self._entries:
            if not _covers(entry, outcome):
                continue
            key = (entry.id, outcome.case)
            if outcome.verdict in entry.verdicts and _describes(entry, outcome):
                self._shown.add(key)
                self._of_call[call] = entry
                return _known(outcome, entry)
            if outcome.verdict not in ("not run", "unsupported", "error"):
                self._covered.setdefault(key, outcome)
        return outcome

    def stale(self) -> list[Outcome]:
        """One outcome for every entry that was checked and did not show.

        A case that an entry names must show the defect; of the cases that a pattern with ``*`` covers, one must. A run
        that is narrowed to some cases or dtypes says nothing of it, and nor does one on a machine of another kind than
        that which an entry's ``machine`` describes.
        """
        gone: list[Outcome] = []
        if not self.whole:
            return gone
        for entry in self._entries:
            if entry.machine:
                continue
            covered = {case: outcome for (name, case), outcome in self._covered.items() if name == entry.id}
            shown = {case for name, case in self._shown if name == entry.id}
            named = {case: outcome for case, outcome in covered.items() if case in entry.cases}
            missing = {case: outcome for case, outcome in named.items() if case not in shown}
            if covered and not shown and not missing:
                missing = dict([next(iter(covered.items()))])
            for outcome in missing.values():
                gone.append(
                    msgspec.structs.replace(
                        outcome,
                        verdict="stale",
                        check="register",
                        reason="stale",
                        defect=DefectRef(entry.id, entry.issue),
                        class_=None,
                        ulp=None,
                        ratio=None,
                        bound=None,
                        worst_input=None,
                        position=None,
                        quantity="",
                        error=None,
                        excused_by=(),
                        detail="",
                    )
                )
        return gone


def _known(outcome: Outcome, entry: Defect) -> Outcome:
    return msgspec.structs.replace(outcome, verdict="known", defect=DefectRef(entry.id, entry.issue))


def _applies(entry: Defect, subject: Subject) -> bool:
    if entry.modes and not {subject.id.mode, subject.id.device} & {*entry.modes}:
        return False
    if entry.ops and subject.overridden.issuperset(entry.ops):
        return False
    if not entry.versions:
        return True
    try:
        return SpecifierSet(entry.versions).contains(Version(subject.id.version), prereleases=True)
    except InvalidSpecifier:
        raise UsageError(
            f"register entry {entry.id!r} has versions {entry.versions!r}",
            hint="write a specifier such as '>=2.10,<2.14'",
        ) from None
    except InvalidVersion:
        return True


def _covers(entry: Defect, outcome: Outcome) -> bool:
    return (
        any(fnmatchcase(outcome.case, pattern) for pattern in entry.cases)
        and outcome.check in entry.checks
        and (not entry.ops or outcome.op in entry.ops)
        and (not entry.dtypes or outcome.dtype in entry.dtypes)
        and (not entry.reductions or outcome.reduction in entry.reductions)
    )


def _describes(entry: Defect, outcome: Outcome) -> bool:
    if entry.reached and outcome.class_ not in entry.reached:
        return False
    if entry.observed and str(outcome.observed) not in entry.observed:
        return False
    if entry.at_most is not None and not (isinstance(outcome.ratio, float) and outcome.ratio <= entry.at_most):
        return False
    return not entry.message or entry.message in statement(outcome)

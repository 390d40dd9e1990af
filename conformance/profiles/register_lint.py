"""Check a register of known defects: what an entry names must exist and meet, and it must say what is seen."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from conformance.cases.checks import NORMALISERS
from conformance.cases.complaints import Complaint, suggestion
from conformance.cases.yaml12 import NodePath
from conformance.model.case import OPERATIONS, REDUCTIONS, Case
from conformance.model.checks import CHECKS
from conformance.model.dtypes import DTYPES, HALF, NARROWER
from conformance.profiles.complaints import unknown_names
from conformance.profiles.profile import DEFAULT, Defect, Profile
from conformance.profiles.versions import is_range

__all__ = ["complaints_of_register"]

#: What an entry of the register may be about.
_CHECKS = tuple(check for check in CHECKS if check not in ("register", "process"))
_TITLE = 100  # characters
#: What a defect may make of a check: what else came of it is not about the framework.
_VERDICTS = ("fail", "crash", "timeout")
#: Times the bound, of an entry that is about every case and says no more of what is seen.
_MOST_OF_ALL_CASES = 1e6
#: What is not known of a call that gave a result in place of an error.
_NOT_OF_A_MISSING_ERROR = ("reached", "right_in", "at_most", "message")
_ISSUE = re.compile(r"https?://[^\s/]\S*|(?:[\w.-]+/)?[\w.-]+#[0-9]+|not reported")


def complaints_of_register(
    profile: Profile, cases: Sequence[Case], variants: Sequence[str] | None
) -> Iterator[Complaint]:
    """Every problem in the register of ``profile``; ``variants`` are the words of the backend's options, if known."""
    seen: dict[str, int] = {}
    for index, entry in enumerate(profile.known):
        path: NodePath = ("known", index)
        if entry.id in seen:
            hint = f"an id names one entry; the other is known[{seen[entry.id]}]"
            yield Complaint((*path, "id"), f"id '{entry.id}' is taken", hint)
        seen.setdefault(entry.id, index)
        yield from _title(path, entry)
        yield from unknown_names((*path, "checks"), entry.checks, _CHECKS, "check")
        yield from unknown_names((*path, "ops"), entry.ops, OPERATIONS, "operation")
        yield from unknown_names((*path, "verdicts"), entry.verdicts, _VERDICTS, "verdict of a defect")
        yield from unknown_names((*path, "reductions"), entry.reductions, (*REDUCTIONS, "default"), "reduction")
        if variants is not None:
            for key, options in (("modes", entry.modes), ("without", entry.without)):
                yield from unknown_names((*path, key), options, (DEFAULT, *variants), "option")
        yield from _matches(path, entry, cases)
        if not entry.intermittent:  # what is left open is refused with the profile itself
            yield from _narrow(path, entry, profile)
        for key in ("cases", "checks"):
            if not getattr(entry, key):
                yield Complaint((*path, key), f"entry '{entry.id}' names no {key}", "name at least one")
        yield from _evidence(path, entry)
    if profile.known and not profile.tested and not all(entry.seen_on for entry in profile.known):
        hint = "write `tested: [torch 2.13.0]` at the top, or `seen_on` in each entry"
        yield Complaint(("known",), "it is not said on which versions the defects were seen", hint)


def _title(path: NodePath, entry: Defect) -> Iterator[Complaint]:
    hint = f"write one line of at most {_TITLE} characters that names the defect, as `The mean of no loss is NaN`"
    if not entry.title.strip():
        yield Complaint(path, f"entry '{entry.id}' has no title", hint)
    elif len(entry.title.splitlines()) > 1 or len(entry.title) > _TITLE:
        yield Complaint((*path, "title"), f"the title of entry '{entry.id}' is too long", hint)


def _matches(path: NodePath, entry: Defect, cases: Sequence[Case]) -> Iterator[Complaint]:
    """Patterns that no case meets, by its id or by what the entry says of operation, dtype, reduction and check."""
    ids = [case.id for case in cases]
    for place, pattern in enumerate(entry.cases):
        where = (*path, "cases", place)
        named = [case for case in cases if fnmatchcase(case.id, pattern)]
        if not named:
            hint = f"{suggestion(pattern, ids)}`conformance list cases` shows the ids"
            yield Complaint(where, f"no case matches '{pattern}'", hint)
        elif _is_spelt(entry) and not any(_can_show(entry, case) for case in named):
            hint = "compare its `ops`, `dtypes`, `reductions` and `checks` with the case's; remove what cannot show"
            yield Complaint(where, f"'{pattern}' cannot show entry '{entry.id}'", hint)


def _is_spelt(entry: Defect) -> bool:
    """Whether every name exists: else what does not match is said already."""
    return {*entry.checks} <= {*_CHECKS} and {*entry.ops} <= {*OPERATIONS} and bool(entry.checks)


def _can_show(entry: Defect, case: Case) -> bool:
    """Whether the case asks anything that the entry covers."""
    refused = case.expect is not None and case.expect.error is not None
    # A case that says no error may still be due one, by the policy that it observes.
    checks = {"error", "policy"} if refused else {*_CHECKS} - (set() if case.policy else {"error"})
    reductions: Collection[Any] = ("none",) if case.op in NORMALISERS else case.reductions
    return (
        (not entry.ops or bool({case.op, "nll_loss_of_log_softmax"} & {*entry.ops}))
        and (not entry.dtypes or not {*entry.dtypes}.isdisjoint(case.dtypes))
        and (not entry.reductions or not {*entry.reductions}.isdisjoint(reductions))
        and not checks.isdisjoint(entry.checks)
    )


def _narrow(path: NodePath, entry: Defect, profile: Profile) -> Iterator[Complaint]:
    """An entry must say what is seen, and more closely than by any size where it is about every case."""
    result_comes = "error" in entry.checks and "fail" in entry.verdicts
    for key in _NOT_OF_A_MISSING_ERROR if result_comes else ():
        if getattr(entry, key):
            hint = "remove it: name the cases, or make two entries, one of `checks: [error]`"
            yield Complaint((*path, key), f"where no error came there is no '{key}'", hint)
    if result_comes and entry.checks == ["error"] and entry.verdicts == ("fail",):  # that alone is what is seen
        if not (entry.observed or entry.invalid) and any("*" in name for name in entry.cases):
            hint = "write out the ids of the cases in which no error comes, or add `observed` or `invalid`"
            yield Complaint((*path, "cases"), f"entry '{entry.id}' does not say in which cases no error comes", hint)
    elif not entry.says_what_is_seen:
        hint = (
            "add `observed`, `reached`, `right_in`, `at_most` or `message`: an entry that describes nothing hides "
            "other defects"
        )
        yield Complaint(path, f"entry '{entry.id}' does not say what is seen", hint)
    elif "F" in entry.reached and not (entry.observed or entry.right_in or entry.at_most or entry.message.strip()):
        hint = "class F is every wrong result: add `observed` or `message`"
        yield Complaint((*path, "reached"), f"entry '{entry.id}' describes any wrong result", hint)
    if entry.at_most is not None and not isfinite(entry.at_most):
        hint = "write the largest error over bound that was seen, or `observed`"
        yield Complaint((*path, "at_most"), f"entry '{entry.id}' describes a result that is wrong by any size", hint)
    said = entry.observed or entry.right_in or entry.message.strip() or (entry.reached and "F" not in entry.reached)
    if any({*pattern} <= {*"*"} for pattern in entry.cases) and not said and (entry.at_most or 0) > _MOST_OF_ALL_CASES:
        hint = f"name the cases, or say what is seen: above {_MOST_OF_ALL_CASES:g} times the bound is any wrong number"
        yield Complaint((*path, "at_most"), f"entry '{entry.id}' describes any wrong result of every case", hint)
    if entry.invalid and not result_comes:
        yield Complaint((*path, "invalid"), "'invalid' is of the check `error` alone", "remove it")
    narrower = {name for dtype in entry.dtypes or DTYPES for name in NARROWER.get(dtype, ())}
    if "half-type-result" in profile.policies:  # by which values of a half type may be held to float32
        narrower |= HALF & {*(entry.dtypes or DTYPES)}
    if entry.right_in and entry.right_in not in narrower:
        hint = f"one of {', '.join(sorted(narrower))}" if narrower else "remove it: the dtypes have none below them"
        yield Complaint((*path, "right_in"), f"'{entry.right_in}' is not compared with the entry's dtypes", hint)


def _evidence(path: NodePath, entry: Defect) -> Iterator[Complaint]:
    if not _ISSUE.fullmatch(entry.issue):
        hint = "write a link (https://...), repository#number, or `not reported`"
        yield Complaint((*path, "issue"), f"'{entry.issue}' is not an issue that can be followed", hint)
    if not is_range(entry.versions):
        hint = "write a specifier such as '>=2.10,<2.14'"
        yield Complaint((*path, "versions"), f"'{entry.versions}' is not a range of versions", hint)
    try:
        date.fromisoformat(entry.date)
    except ValueError:
        hint = "write the day on which it was confirmed, such as 2026-01-31"
        yield Complaint((*path, "date"), f"'{entry.date}' is not a date", hint)

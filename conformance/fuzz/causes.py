"""Failures by their causes: each is shown once, by the smallest case that was found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from conformance.cases.checks import complaints_about
from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.cases.resolve import invalid_of
from conformance.cases.text import flow_text, keys_of
from conformance.corpus.recipe import Recipe
from conformance.fuzz.draft import Draft, draft_of
from conformance.fuzz.failures import Kind, first_failure, kind_of
from conformance.fuzz.shrink import Shrinker
from conformance.fuzz.traits import Trait, traits
from conformance.model.case import Case
from conformance.model.checks import IDENTITIES
from conformance.model.errors import CaseError
from conformance.model.outcome import Outcome
from conformance.model.problem import Problem

__all__ = ["Cause", "Causes"]

#: Calls of the judge that one failure may take to shrink; a process that ends each time takes long to start.
ATTEMPTS, ATTEMPTS_OF_DEATHS = 160, 12
#: Failures of one kind that are shrunk: beyond these, whatever they have in common is counted with the first of them.
MOST_OF_A_KIND = 6

Ask = Callable[[Case, bool], list[Outcome]]


@dataclass(eq=False)
class Cause:
    """A failure: its smallest ``case``, what is unusual about that, and the ``outcome`` that it had.

    A case that says the same has the same id, whichever search made it.
    ``cases`` counts those that failed for this cause, of which ``first`` came after ``after`` others. ``again`` is
    false where the case did not fail so when it was asked alone: something before it had a part in it.
    """

    kind: Kind
    case: Case
    outcome: Outcome
    traits: frozenset[Trait]
    first: str
    after: int
    again: bool = True
    cases: int = 1
    recipe: Recipe | None = None


@dataclass(eq=False)
class Causes:
    """All causes so far; ``ask`` judges a case, with identities or without. ``found`` is called with each new one."""

    ask: Ask
    all: list[Cause] = field(default_factory=list)
    goes_on: Callable[[], bool] = lambda: True
    found: Callable[[Cause], None] = lambda _: None
    attempts: int = ATTEMPTS

    def add(self, entry: Entry, failure: Outcome, recipe: Recipe | None, after: int) -> None:
        """Take note of a failure: count it with its cause, or shrink it to find a new one."""
        kind, problem = kind_of(failure), _problem(entry, failure)
        if problem is None:
            return
        has = traits(problem, failure.reduction)
        alike = [each for each in self.all if each.kind == kind]
        explained = [each for each in alike if each.again and each.traits <= has]
        if explained or len(alike) >= MOST_OF_A_KIND:
            (explained or alike)[0].cases += 1
            return
        cause = self._shrunk(kind, problem, failure, has)
        case = _named(cause.case, entry.case)
        outcome = msgspec.structs.replace(cause.outcome, case=case.id)
        cause = replace(cause, case=case, outcome=outcome, first=entry.case.id, after=after, recipe=recipe)
        for other in alike:
            if other.again == cause.again and (other.traits <= cause.traits or not cause.again):
                other.cases += 1
                return
            if other.again and cause.again and cause.traits < other.traits:  # the same in a more general case
                cause = replace(cause, first=other.first, after=other.after, cases=cause.cases + other.cases)
                self.all.remove(other)
        self.all.append(cause)
        self.found(cause)

    def _shrunk(self, kind: Kind, problem: Problem, failure: Outcome, has: frozenset[Trait]) -> Cause:
        draft = draft_of(problem, failure.reduction)
        deaths = failure.verdict in ("crash", "timeout", "unreproduced")
        as_it_is = Cause(kind, draft.case(), failure, has, "", 0)
        shrinker = Shrinker(
            lambda each: self._failing(each, kind) is not None, ATTEMPTS_OF_DEATHS if deaths else self.attempts
        )
        seen = self._failing(draft, kind)
        if seen is None:
            return replace(as_it_is, again=not self.goes_on())
        if not problem.logits.ndim:  # nothing could be smaller
            return as_it_is
        shrunk = shrinker.shrunk(draft)
        seen = self._failing(shrunk, kind) if self.goes_on() else seen
        if seen is None:
            return replace(as_it_is, again=False)
        case, last = shrunk.case(), _problem_of(shrunk.case(), seen)
        return Cause(kind, case, seen, has if last is None else traits(last, seen.reduction), "", 0)

    def _failing(self, draft: Draft, kind: Kind) -> Outcome | None:
        """The outcome by which a draft fails in that way; None where it does not, or is not a sound case."""
        if not self.goes_on():
            return None
        try:
            case = draft.case()
        except msgspec.ValidationError:
            return None
        if any(complaints_about(case)) or not _is_as_it_says(case):
            return None
        outcomes = self.ask(case, kind.check in IDENTITIES)
        same = [each for each in outcomes if each.resembles is None and kind_of(each) == kind]
        return first_failure(same)


def _named(case: Case, source: Case) -> Case:
    """The case under the id of its ``source`` if that says the same, else under one that follows from what it says."""
    said, before = _said(case), _said(source)
    name = source.id if said == before else f"fuzz.{hashlib.sha256(said.encode()).hexdigest()[:12]}"
    return msgspec.structs.replace(case, id=name)


def _said(case: Case) -> str:
    """All that a case asks, as text."""
    return flow_text({name: each for name, each in keys_of(case).items() if name not in ("id", "why", "tier")})


def _is_as_it_says(case: Case) -> bool:
    """Whether a case that expects an error is still in error: what made it so may be gone from a smaller one."""
    if case.expect is None or case.expect.error is None:
        return True
    try:
        return all(invalid_of(each) is not None for each in expand(Entry(case, "", Path(), 0)).problems)
    except CaseError:
        return False


def _problem(entry: Entry, outcome: Outcome) -> Problem | None:
    """The problem that an outcome is about."""
    problems = expand(entry, dtypes=(outcome.dtype,)).problems
    return next((each for each in problems if each.layout == outcome.layout), None)


def _problem_of(case: Case, outcome: Outcome) -> Problem | None:
    try:
        return _problem(Entry(case, "", Path(), 0), outcome)
    except CaseError:
        return None

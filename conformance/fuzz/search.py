"""The search: batches of cases that have pairs of features not seen together yet, or that came near their bound.

Everything follows from the seed and from what the backend answers: a limit of time only cuts the sequence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.cases.load import Entry
from conformance.corpus.dice import Dice
from conformance.corpus.extents import extents_of
from conformance.corpus.recipe import Recipe
from conformance.corpus.settle import settled
from conformance.corpus.space import FAMILY, Levels, drawn
from conformance.fuzz.alike import but_for_one, small_case
from conformance.fuzz.causes import Causes
from conformance.fuzz.coverage import Pairs
from conformance.fuzz.failures import first_failure
from conformance.fuzz.offered import weights_of
from conformance.fuzz.pool import Pool, mutated
from conformance.model.case import Case
from conformance.model.errors import CaseError
from conformance.model.outcome import Outcome
from conformance.run.judged import OpenBackend
from conformance.run.plan import Plan, Portion

__all__ = ["THEME", "Corpus", "Excused", "Search"]

THEME = "found"
#: Cases of one shape and dtype that are a batch.
TOGETHER = 12
#: Recipes of which the one is taken that has most new pairs.
CANDIDATES = 6
#: The share of batches that are made of what came near its bound, and of those with identities.
OF_THE_POOL, WITH_IDENTITIES = 0.3, 0.4
#: The share of batches of one small call and of others that differ from it in one operand or option alone.
NEARLY_ALIKE = 0.12
#: Of backends that compile: the share of batches in a shape of a former one, cases that differ in their numbers alone,
#: and the calls that shrinking may take.
AGAIN, ALIKE, ATTEMPTS_COMPILED = 0.6, 6, 50
#: What makes no other function of a compiled one.
_NUMBERS = ("logits", "offset", "special", "place", "labels", "ignored-share", "upstream", "tangent")


@dataclass(frozen=True)
class Corpus:
    """What a search begins with: recipes that were near a bound or failed before, and cases of a person's own.

    ``outdated`` counts recipes that this version cannot draw: of another version's levels, or of no shape of theirs.
    """

    recipes: Sequence[Recipe] = ()
    entries: Sequence[Entry] = ()
    outdated: int = 0


@dataclass
class Excused:
    """What is not a failure: its ``cases``, in the order in which they came, the first of them ``after`` others."""

    after: int
    cases: dict[str, None] = field(default_factory=dict)


@dataclass(eq=False)
class Search:
    """A search on an open ``backend``. ``asked`` counts cases, ``verdicts`` the outcomes.

    ``most`` new cases are asked, beside those that it starts with.

    ``known`` and ``resembling`` name the register's entries that describe what was seen, or would describe it in other
    cases; ``policies`` are the declared ones by which results deviate. ``lost`` says why no more can be asked, and
    ``unasked`` are recipes of the corpus that it did not come to.
    """

    backend: OpenBackend
    seed: int
    corpus: Corpus = field(default_factory=Corpus)
    most: int | None = None
    pairs: Pairs = field(default_factory=Pairs)
    pool: Pool = field(default_factory=Pool)
    asked: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    known: dict[str, Excused] = field(default_factory=dict)
    resembling: dict[str, Excused] = field(default_factory=dict)
    policies: dict[str, Excused] = field(default_factory=dict)
    lost: str = ""

    def __post_init__(self) -> None:
        self.causes = Causes(self._ask)
        self.unasked = self.corpus.recipes
        self._compiles = self.backend.compiles
        if self._compiles:
            self.causes.attempts = ATTEMPTS_COMPILED
        self._weights = weights_of(self.backend.subject.profile)
        self._families: list[tuple[tuple[int, ...], Levels]] = []

    def run(self, goes_on: Callable[[Search], bool]) -> None:
        """Search for as long as ``goes_on`` says, which is asked after each batch and each attempt to shrink."""
        self.causes.goes_on = lambda: goes_on(self)
        for entries, recipes, identities in self._batches():
            if self.lost or not goes_on(self):
                return
            self._judge(entries, recipes, identities)

    # -- what to ask --------------------------------------------------------------------------------------------------

    def _batches(self) -> Iterator[tuple[list[Entry], dict[str, Recipe], bool]]:
        for first in range(0, len(self.corpus.entries), TOGETHER):
            yield [*self.corpus.entries[first : first + TOGETHER]], {}, True
        for first in range(0, len(self.corpus.recipes), TOGETHER):
            yield *_entries(self.corpus.recipes[first : first + TOGETHER]), True
            self.unasked = self.corpus.recipes[first + TOGETHER :]
        number, left = 0, self.most
        while left is None or left > 0:
            dice, alike = Dice(self.seed, "batch", number), Dice(self.seed, "alike", number)
            if not self._compiles and alike.chance(NEARLY_ALIKE):
                case, named, identities = small_case(alike, self._weights, "fuzz."), dict[str, Recipe](), False
                entries = [Entry(each, THEME, _NOWHERE, 0) for each in (case, *but_for_one(case))][:left]
            else:
                recipes = self._near(dice) if len(self.pool) and dice.chance(OF_THE_POOL) else self._new(dice)
                entries, named = _entries(recipes[:left])
                identities = dice.chance(WITH_IDENTITIES)
            yield entries, named, identities
            number, left = number + 1, None if left is None else left - len(entries)

    def _near(self, dice: Dice) -> list[Recipe]:
        parent = self.pool.drawn(dice)
        return [mutated(parent, dice, self._weights) for _ in range(TOGETHER)]

    def _new(self, dice: Dice) -> list[Recipe]:
        """Recipes of one family: the one of several that has most pairs not seen yet, and members chosen likewise."""
        extents, family = self._family(dice)
        recipes: list[Recipe] = []
        given: Levels = family
        for number in range(TOGETHER):
            if self._compiles:
                alike = number % ALIKE and recipes[-1].levels
                given = {name: level for name, level in alike.items() if name not in _NUMBERS} if alike else family
            members: list[Levels] = [settled(drawn(dice, given, self._weights), extents) for _ in range(CANDIDATES)]
            best = max(members, key=self.pairs.gain)
            self.pairs.add(best)
            recipes.append(Recipe(levels=best, extents=extents, seed=dice.seed()))
        return recipes

    def _family(self, dice: Dice) -> tuple[tuple[int, ...], Levels]:
        """A shape and a dtype: new ones, or where each is compiled for, mostly those of a former batch."""
        if self._compiles and self._families and dice.chance(AGAIN):
            return dice.one_of(self._families)
        drawings = [drawn(dice, None, self._weights) for _ in range(CANDIDATES)]
        families = [{name: each[name] for name in FAMILY} for each in drawings]
        self._families.append(extents_of(max(families, key=self.pairs.gain), dice))
        return self._families[-1]

    # -- what came of it ----------------------------------------------------------------------------------------------

    def _judge(self, entries: Sequence[Entry], recipes: dict[str, Recipe], identities: bool) -> None:
        by_id = {entry.case.id: entry for entry in entries}
        for portion in Plan(entries, None, identities).portions:  # the truths of large cases are not held together
            for unit in self.backend.judge(portion).units:
                self.verdicts.update(each.verdict for each in unit)
                recipe = recipes.get(unit[0].case)
                if recipe is not None:
                    self.pairs.add(recipe.levels)
                    self.pool.add(recipe, unit)
                self._sort(unit, by_id[unit[0].case], recipe)
                if any(each.is_lost for each in unit):
                    self.lost = next(str(each.error) for each in unit if each.is_lost)
            self.asked += len(portion.entries)
            if self.lost:
                return

    def _sort(self, unit: Sequence[Outcome], entry: Entry, recipe: Recipe | None) -> None:
        for each in unit:
            if each.verdict == "known" and each.defect is not None:
                self._excuse(self.known, each.defect.id, each.case)
            elif each.resembles is not None:
                self._excuse(self.resembling, each.resembles.id, each.case)
            for policy in each.excused_by:
                self._excuse(self.policies, policy, each.case)
        failure = first_failure(each for each in unit if each.resembles is None)
        if failure is not None:
            self.causes.add(entry, failure, recipe, self.asked)

    def _excuse(self, among: dict[str, Excused], name: str, case: str) -> None:
        among.setdefault(name, Excused(self.asked)).cases[case] = None

    def _ask(self, case: Case, identities: bool) -> list[Outcome]:
        """The outcomes of one case; none where it cannot be made."""
        try:
            return self.backend.judge(Portion(0, (Entry(case, THEME, _NOWHERE, 0),), None, identities)).outcomes
        except CaseError:
            return []


_NOWHERE = Path("<found>")


def _entries(recipes: Sequence[Recipe]) -> tuple[list[Entry], dict[str, Recipe]]:
    named = {f"fuzz.{recipe.name}": recipe for recipe in recipes}
    return [Entry(each.case(name), THEME, _NOWHERE, 0) for name, each in named.items()], named

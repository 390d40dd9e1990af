"""The search: what it finds on wrong backends, leaves alone on right ones, and asks again for the same seed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.checks import complaints_about
from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.corpus.dice import Dice
from conformance.corpus.extents import extents_of
from conformance.corpus.random_cases import recipe_of
from conformance.corpus.recipe import Recipe
from conformance.corpus.settle import settled
from conformance.corpus.space import FACTORS, PLAIN, drawn
from conformance.fuzz.alike import but_for_one, small_case
from conformance.fuzz.causes import Causes
from conformance.fuzz.coverage import Pairs
from conformance.fuzz.failures import first_failure
from conformance.fuzz.files import corpus_text
from conformance.fuzz.pool import mutated
from conformance.fuzz.search import Corpus, Search
from conformance.fuzz.traits import shown
from conformance.model.case import Case, Generator
from conformance.model.outcome import DefectRef, Outcome
from conformance.profiles.load import profile_named
from conformance.profiles.profile import Defect
from conformance.profiles.subject import Subject
from conformance.run.judged import Judged, open_backend
from conformance.run.plan import Portion


class ManyPositions(Numpy):
    """softmax of more than 64 positions is a little too large."""

    def softmax(self, logits: Any, *, axis: Any, where: Any = None) -> Any:
        found = super().softmax(logits, axis=axis, where=where)
        axis = min(1, logits.ndim - 1) if axis is None else axis
        many = logits.size > 64 * logits.shape[axis] if logits.ndim else False
        return found * found.dtype.type(1.25) if many else found


class SomeCallsDiffer(Numpy):
    """Every 53rd loss is too large: no case fails for what it holds."""

    calls = 0

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        self.calls += 1
        found = super().cross_entropy(logits, targets, **options)
        return found if self.calls % 53 else found * found.dtype.type(1.25)


def search(backend: Any, cases: int, subject: Subject | None = None, seed: int = 1, **more: Any) -> Search:
    with open_backend(backend, subject=subject) as opened:
        found = Search(opened, seed, **more)
        found.run(lambda so_far: so_far.asked < cases)
    return found


@pytest.mark.slow
def test_nothing_is_found_on_a_right_backend() -> None:
    found = search(Numpy(), 60)
    assert found.causes.all == [] and found.asked >= 60 and not found.lost
    assert found.verdicts["pass"] > 120 and found.pool.nearest is not None and found.pool.nearest.ratio <= 1.0


@pytest.fixture(scope="module")
def found() -> Search:
    """A search on a backend that is wrong in one way."""
    return search(ManyPositions(), 60, seed=3)


@pytest.mark.slow
def test_a_defect_is_shrunk_to_what_it_needs_and_counted_once(found: Search) -> None:
    (cause,) = [each for each in found.causes.all if each.kind.check == "value"]
    assert shown(cause.traits) == ["more than 64 positions"]
    assert cause.case.logits.shape == [65, 2] and cause.cases >= 1 and cause.again  # type: ignore[union-attr]
    assert cause.outcome.verdict == "fail" and cause.outcome.case == cause.case.id
    assert cause.first.startswith("fuzz.") and cause.recipe is not None


@pytest.mark.slow
def test_a_failure_that_does_not_come_again_is_said_to_be_one() -> None:
    found = search(SomeCallsDiffer(), 80)
    apart = [each.kind for each in found.causes.all if not each.again]
    assert apart and len({*apart}) == len(apart)


def test_the_same_seed_asks_the_same_cases() -> None:
    class Noting(Numpy):
        asked: list[bytes]
        thread_safe = False  # two threads would note their calls in an order of their own

        def evaluate(self, call: Any, logits: Any) -> Any:
            self.asked.append(np.ascontiguousarray(logits).tobytes())
            return super().evaluate(call, logits)

    asked: list[list[bytes]] = []
    for cases in (48, 48, 96):
        backend = Noting()
        backend.asked = []
        search(backend, cases)
        asked.append(backend.asked)
    assert asked[0] == asked[1] == asked[2][: len(asked[0])] and len(asked[2]) > len(asked[0]) > 0


def test_the_truths_of_large_cases_are_not_held_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take hundreds of bytes for each logit; small cases are judged in one block."""
    wide = Generator(distribution="normal", shape=(36, 2048), seed=1)
    large = [Case(id=f"case-{n}", why="w", op="softmax", logits=wide, dtypes=("float64",)) for n in range(3)]
    small = [Case(id=f"small-{n}", why="w", op="softmax", logits=[1.0, n], dtypes=("float64",)) for n in range(3)]
    together: list[list[str]] = []
    with open_backend(Numpy()) as opened:
        judge = opened.judge

        def noted(portion: Portion) -> Judged:
            together.append([each.case.id for each in portion.entries])
            return judge(portion)

        monkeypatch.setattr(opened, "judge", noted)
        entries = [Entry(case, "theme", Path("cases.yaml"), 0) for case in (*large, *small)]
        found = Search(opened, 1, Corpus(entries=entries), most=0)
        found.run(lambda _: True)
    assert together == [["case-0"], ["case-1"], ["case-2"], ["small-0", "small-1", "small-2"]]
    assert found.asked == 6 and {*found.verdicts} == {"pass"}


@pytest.mark.slow
def test_a_search_begins_with_what_failed_before(found: Search) -> None:
    recipes = [each.recipe for each in found.causes.all if each.recipe is not None]
    again = search(ManyPositions(), 1, corpus=Corpus(recipes=recipes))
    assert {each.kind for each in again.causes.all} >= {each.kind for each in found.causes.all[:1]}
    assert again.causes.all[0].after == 0


def test_a_corpus_keeps_what_a_search_did_not_come_to() -> None:
    recipes = [recipe_of(1, index) for index in (0, 1, 2)]
    unbegun = search(Numpy(), 0, corpus=Corpus(recipes=recipes))
    kept = [msgspec.json.decode(line, type=Recipe) for line in corpus_text(unbegun).splitlines()]
    assert unbegun.asked == 0 and kept == recipes


@pytest.mark.slow
def test_what_the_register_describes_is_not_a_failure(found: Search) -> None:
    corpus = Corpus(recipes=[each.recipe for each in found.causes.all if each.recipe is not None])
    entry = Defect(
        id="too-large", why="x", issue="https://example.org/1", date="2026-01-01", cases=["*"], checks=["value"],
        ops=["softmax"], reached=["E", "F"],
    )  # fmt: skip
    profile = msgspec.structs.replace(profile_named("numpy"), known=[entry])
    known = search(ManyPositions(), 1, Subject("mine", profile=profile), corpus=corpus)
    failing = [each.case(f"fuzz.{each.name}").id for each in corpus.recipes]
    assert "too-large" in known.known and [*known.known["too-large"].cases][: len(failing)] == failing
    assert not [each for each in known.causes.all if each.kind.check == "value"]

    elsewhere = msgspec.structs.replace(entry, cases=["another-case"])
    profile = msgspec.structs.replace(profile, known=[elsewhere])
    resembling = search(ManyPositions(), 1, Subject("mine", profile=profile), corpus=corpus)
    assert "too-large" in resembling.resembling
    assert not [each for each in resembling.causes.all if each.kind.check == "value"]


def test_pairs_are_counted_once() -> None:
    pairs = Pairs()
    count = len(PLAIN) * (len(PLAIN) - 1) // 2
    assert pairs.gain(PLAIN) == count == pairs.add(PLAIN)
    assert pairs.gain(PLAIN) == 0 and len(pairs) == count
    assert pairs.gain(PLAIN | {"op": "softmax"}) == len(PLAIN) - 1


def test_mutations_are_sound_and_stay_near() -> None:
    for index in range(0, 400, 8):
        recipe = recipe_of(2, index)
        for turn in range(3):
            near = mutated(recipe, Dice("near", index, turn))
            assert near.extents == recipe.extents
            assert not [*complaints_about(near.case("it"))]
            assert sum(near.levels[factor] != recipe.levels[factor] for factor in FACTORS) <= 12


def test_every_recipe_has_a_case() -> None:
    """Each level as likely as any other of its factor, so that rare ones meet, too."""
    alike = {factor: dict.fromkeys(levels, 1.0) for factor, levels in FACTORS.items()}
    held = 0
    for index in range(1500):
        dice = Dice(1, "alike", index)
        extents, levels = extents_of(drawn(dice, None, alike), dice)
        if math.prod(extents) <= 2000:
            recipe = Recipe(levels=settled(levels, extents), extents=extents, seed=dice.seed())
            expand(Entry(recipe.case("it"), "t", Path("f"), 0))
            held += 1
    assert held > 1000


def test_of_several_failures_the_one_that_explains_the_others_is_taken() -> None:
    def outcome(check: Any, verdict: Any = "fail", **more: Any) -> Outcome:
        return Outcome(
            case="a",
            backend="b",
            dtype="float32",
            layout="contiguous",
            op="softmax",
            check=check,
            verdict=verdict,
            **more,
        )

    gradient, value, worse = outcome("gradient"), outcome("value", ratio=2.0), outcome("value", ratio=9.0)
    assert first_failure([gradient, value, worse, outcome("shift")]) is worse
    assert first_failure([gradient, outcome("process", "crash")]) == outcome("process", "crash")
    known = outcome("value", "known", defect=DefectRef("x"))
    assert first_failure([known, outcome("error", "pass"), outcome("value", "deviation")]) is None


def a_case(shape: list[int], **more: Any) -> Entry:
    keys = {"id": "a", "why": "x", "op": "softmax", "logits": {"distribution": "constant", "shape": shape}, **more}
    return Entry(msgspec.convert({"dtypes": ["float32"], **keys}, Case), "t", Path("f"), 0)


def test_a_more_general_cause_takes_the_place_of_a_particular_one() -> None:
    """Where nothing fails again, each failure is a cause of its own unless its traits are another one's."""
    failure = Outcome(
        case="a", backend="b", dtype="float32", layout="contiguous", op="softmax", check="value", verdict="fail"
    )
    causes = Causes(lambda case, identities: [failure])  # whatever is asked fails: everything shrinks to one cause
    causes.add(a_case([3, 5], layouts=["sliced"]), msgspec.structs.replace(failure, layout="sliced"), None, 4)
    causes.add(a_case([900, 5]), failure, None, 9)
    (cause,) = causes.all
    assert cause.traits == frozenset() and cause.cases == 2 and cause.after == 4

    def wide_or_many(case: Case, identities: bool) -> list[Outcome]:
        (problem,) = expand(Entry(case, "t", Path("f"), 0)).problems
        seen = msgspec.structs.replace(failure, layout=problem.layout)
        return [seen] if problem.logits.shape[0] > 4 or problem.layout == "sliced" else []

    causes = Causes(wide_or_many)
    causes.add(a_case([3, 5], layouts=["sliced"]), msgspec.structs.replace(failure, layout="sliced"), None, 4)
    causes.add(a_case([900, 5]), failure, None, 9)
    assert [shown(each.traits) for each in causes.all] == [["sliced memory"], ["more than 4 positions"]]


def test_what_must_be_refused_stays_so_while_it_shrinks() -> None:
    """Without its axis, which is out of range, nothing would be wrong with the case."""
    failure = Outcome(
        case="a", backend="b", dtype="float32", layout="contiguous", op="softmax", check="error", verdict="fail"
    )
    causes = Causes(lambda case, identities: [failure])
    causes.add(a_case([3, 5], axis=7, expect={"error": "there is no such axis"}), failure, None, 0)
    assert [each.case.axis for each in causes.all] == [7]


def test_what_cannot_be_tried_in_time_is_kept_as_it_is() -> None:
    failure = Outcome(
        case="a", backend="b", dtype="float32", layout="contiguous", op="softmax", check="value", verdict="fail"
    )
    causes = Causes(lambda case, identities: [failure], goes_on=lambda: False)
    causes.add(a_case([900, 5]), failure, None, 0)
    (cause,) = causes.all
    assert cause.again and "more than 512 positions" in shown(cause.traits)


@given(st.integers(0, 2**32))
def test_calls_that_are_nearly_alike_differ_in_one_thing_and_are_valid(seed: int) -> None:
    case = small_case(Dice(seed), FACTORS, "fuzz.")
    others = [*but_for_one(case)]
    assert others
    for other in others:
        changed = [name for name in Case.__struct_fields__ if getattr(case, name) != getattr(other, name)]
        assert len(changed) == 2 and changed[0] == "id", changed
    for each in (case, *others):
        assert not list(complaints_about(each)) and expand(Entry(each, "found", Path("found"), 0)).problems


class ForgetsTheWeight(Numpy):
    """Keeps losses, whatever the weight is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[Any, Any] = {}

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        others = str({name: each for name, each in options.items() if name != "weight"})
        key = (logits.shape, logits.tobytes(), np.asarray(targets).tobytes(), others)
        return self.kept.setdefault(key, found).copy()


def test_what_is_kept_by_less_than_all_of_a_call_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.fuzz.search.NEARLY_ALIKE", 1.0)
    found = search(ForgetsTheWeight(), 150)
    assert "cross_entropy value: fail" in [str(each.kind) for each in found.causes.all]
    monkeypatch.setattr("conformance.fuzz.search.NEARLY_ALIKE", 0.0)
    assert search(ForgetsTheWeight(), 150).causes.all == []

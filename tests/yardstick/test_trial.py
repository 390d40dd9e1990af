"""What wrong backends are asked: each call once or again, and at which depth."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.load import load_suite
from tests.support.case_files import write
from tests.yardstick.kernel import Kernel
from tests.yardstick.trial import DEPTHS, LARGE, Kill, Trial, due_at

CALL = "  - {id: it, why: w, op: softmax, logits: [[1, 2, 3], [0, 1, 0]]"


class _Again(Kernel):
    """What was differentiated before is another number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.known: set[bytes] = set()

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        return super().softmax(logits, axis=axis, where=where) + (logits.tobytes() in self.known)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        found = super().differentiate(call, logits, upstream)
        self.known.add(logits.tobytes())
        return found


class _InThreads(Kernel):
    """What another thread asks is another number."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value + (threading.current_thread() is not threading.main_thread()), gradient


class _Examples(Kernel):
    """One position without a batch is another number: the loop of a map comes to that."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value + (logits.ndim == 1), gradient


class _Map(Kernel):
    """A map of its own, which is another number."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value + 1, gradient


@pytest.mark.parametrize(
    ("kind", "more", "check", "once"),
    [
        (_Again, "", "repeatable", False),
        (_InThreads, ", transforms: [concurrent]", "concurrent", False),
        (_Examples, ", transforms: [vectorised-map]", "vectorised-map", False),
        (_Map, ", transforms: [vectorised-map]", "vectorised-map", True),
    ],
)
def test_a_call_that_is_made_once_is_not_repeated_nor_shared_nor_looped_over(
    kind: type[Kernel], more: str, check: str, once: bool, tmp_path: Path
) -> None:
    """Where calls are made again the check fails; ``once`` says whether it does where they are made once, too."""
    entries = load_suite([write(tmp_path, f"theme: small\ncases:\n{CALL}{more}}}\n")]).entries
    assert _failed(Trial(entries, ("float32",), identities=False), kind) == {check}
    assert _failed(Trial(entries, ("float32",), identities=False, once=True), kind) == ({check} if once else set())


def _failed(trial: Trial, kind: type[Kernel]) -> set[str]:
    outcomes = [outcome for _, outcome in trial.outcomes([kind])]
    assert {"value", "gradient"} <= {each.check for each in outcomes}
    return {each.check for each in outcomes if each.verdict == "fail"}


DEPTHS_OF = f"""\
theme: small
cases:
  - {{id: ordinary, why: w, op: softmax, logits: [1, 2]}}
  - {{id: full, why: w, op: softmax, logits: [1, 2], tier: full}}
  - {{id: large, why: w, op: softmax, logits: {{distribution: constant, shape: [{LARGE}]}}}}
"""


@pytest.mark.parametrize(
    ("killers", "deeper"),
    [((), True), (("full",), True), (("large",), True), (("ordinary",), False), (("full", "ordinary"), False)],
)
def test_what_the_quick_selection_may_kill_is_asked_nothing_deeper(
    killers: tuple[str, ...], deeper: bool, tmp_path: Path
) -> None:
    entries = {entry.case.id: entry for entry in load_suite([write(tmp_path, DEPTHS_OF)]).entries}
    kills = [Kill(case, "float32", "value") for case in killers]
    assert [due_at(depth, kills, entries) for depth in DEPTHS] == [True, *[deeper] * (len(DEPTHS) - 1)]

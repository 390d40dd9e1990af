"""The quick selection is completed with the few cases behind which a backend goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.cases.load import load_suite
from tests.support.case_files import write
from tests.yardstick.kernel import Kernel
from tests.yardstick.registry import title
from tests.yardstick.sequences import completed
from tests.yardstick.trial import Kill

SUITE = """\
theme: small
cases:
  - {id: first, why: w, op: softmax, logits: [1, 2, 3, 4, 5]}
  - {id: idle, why: w, op: softmax, logits: [1, 2]}
  - {id: wide, why: w, op: softmax, logits: [1, 3, 5, 7]}
  - {id: half, why: w, op: softmax, logits: [1, 2, 3, 4], dtypes: [float16]}
  - {id: last, why: w, op: softmax, logits: [1, 3, 2]}
  - {id: after, why: w, op: softmax, logits: [1, 2]}
"""
KILL = Kill("last", "float32", "value")


class _Behind(Kernel):
    """Three classes behind four, and these behind five, are another number."""

    widest = 0

    def probabilities(self, x: Any) -> Any:
        found, classes = super().probabilities(x), x.shape[-1]
        if classes == 5 or classes == self.widest - 1:
            self.widest = classes
        return found + (classes == 3 == self.widest)


class _Right(Kernel):
    """Nothing shows again what was seen once."""


def test_few_cases_in_their_order_stand_at_the_end(tmp_path: Path) -> None:
    entries = load_suite([write(tmp_path, SUITE)]).entries
    kills = {title(_Behind): [KILL], title(_Right): [KILL]}
    selection = {"wide": ["float64"], "last": ["float32"], "idle": ["float16"]}
    found = completed(selection, [_Right, _Behind], kills, entries)
    assert [*found.items()] == [
        ("idle", ["float16"]),
        ("first", ["float32"]),
        ("wide", ["float64", "float32"]),
        ("last", ["float32"]),
    ]
    assert [*selection] == ["wide", "last", "idle"]


def test_what_no_case_kills_behind_others_adds_nothing(tmp_path: Path) -> None:
    entries = load_suite([write(tmp_path, SUITE)]).entries
    assert completed({"idle": ["float32"]}, [_Right], {title(_Right): [KILL]}, entries) == {"idle": ["float32"]}

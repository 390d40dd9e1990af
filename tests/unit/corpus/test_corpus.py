"""What the suite's own cases promise of themselves."""

from __future__ import annotations

from conformance.cases.load import load_suite
from conformance.model.case import Generator
from conformance.places import CASES

ENTRIES = load_suite((CASES,)).entries
#: e to minus the whole range, or most of it: no decimal text of a usable length holds it.
BEYOND_TEXT = (
    "all-logits-far-below-zero",
    "whole-range-of-float16",
    "whole-range-of-float32",
    "whole-range-of-float64",
    "special.logits.huge.upstream-0.float32",
)
TENSORS = ("logits", "log_probabilities", "targets", "weight", "upstream")


def test_handwritten_losses_stand_in_the_file_for_every_reduction():
    lacking = []
    for entry in ENTRIES:
        case = entry.case
        seeded = any(isinstance(getattr(case, name), Generator) for name in TENSORS)
        raises = case.expect is not None and case.expect.error is not None
        named = [name for name in case.reductions if name != "default"]
        named = [name for name in named if not (case.id in BEYOND_TEXT and name == "none")]
        if seeded or raises or case.op in ("softmax", "log_softmax") or not named:
            continue
        lacking += [f"{case.id}: {name}" for name in named if name not in (case.expected or {})]
    assert lacking == []

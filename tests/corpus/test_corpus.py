"""What the suite's own cases promise of themselves."""

from __future__ import annotations

import re

from conformance.cases.load import load_suite
from conformance.cases.model import Generator
from conformance.places import CASES

ENTRIES = load_suite((CASES,)).entries
TENSORS = ("logits", "log_probabilities", "targets", "weight", "upstream")


def test_handwritten_losses_stand_in_the_file_for_every_reduction():
    lacking = []
    for entry in ENTRIES:
        case = entry.case
        seeded = any(isinstance(getattr(case, name), Generator) for name in TENSORS)
        raises = case.expect is not None and case.expect.error is not None
        named = [name for name in case.reductions if name != "default"]
        if seeded or raises or case.op in ("softmax", "log_softmax") or not named:
            continue
        lacking += [f"{case.id}: {name}" for name in named if name not in (case.expected or {})]
    assert lacking == []


def test_every_case_says_why_in_words_of_its_own():
    by_why: dict[str, list[str]] = {}
    for entry in ENTRIES:
        by_why.setdefault(re.sub(r"[-0-9.,]+", "#", entry.case.why), []).append(entry.case.id)
    short = [entry.case.id for entry in ENTRIES if len(entry.case.why) < 20]
    assert short == []
    assert ENTRIES and len(by_why) > len(ENTRIES) / 4

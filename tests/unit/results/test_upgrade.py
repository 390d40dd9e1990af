"""Results files of schema 1: facts are taken from a message where it is certain what it says, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.model.outcome import DefectRef, ErrorFact, Outcome
from conformance.model.records import BackendId, BackendRecord, decode_record, encode_record
from conformance.model.wording import message
from conformance.results.upgrade import decode_former

BASE = {
    "record": "outcome", "case": "c", "theme": "t", "backend": "b", "version": "1", "device": "cpu", "mode": "jit",
    "dtype": "float32", "layout": "contiguous", "op": "cross_entropy", "reduction": "mean", "check": "value",
    "verdict": "fail", "source": "b.py:1", "seconds": 0.5,
}  # fmt: skip
LINK = "https://github.com/jax-ml/jax/issues/40409"


def upgraded(text: str, **fields: Any) -> Outcome:
    made = decode_former(json.dumps({**BASE, "message": text, **fields}).encode())
    assert isinstance(made, Outcome) and decode_record(encode_record(made)) == made
    return made


@pytest.mark.parametrize(
    ("text", "fields", "facts"),
    [
        (
            "0.5 instead of 0.25: class C, declared B; 3 times the bound, 7 ulp",
            {"class": "C", "ulp": 7.0, "ratio": 3.0, "observed": 0.5, "expected": 0.25},
            {"reason": "beyond-bound", "declared": "B"},
        ),
        (
            f"the curvature: nan instead of 0.0 [known: poisons, {LINK}]",
            {"verdict": "known", "check": "second-order", "class": "F", "observed": "nan", "expected": 0.0},
            {"reason": "beyond-bound", "quantity": "curvature", "defect": DefectRef("poisons", LINK)},
        ),
        (
            "as its declared mean-of-all-ignored says",
            {"verdict": "deviation"},
            {"reason": "declared", "excused_by": ("mean-of-all-ignored",)},
        ),
        ("as its declared policies say", {"verdict": "deviation"}, {"reason": "declared", "excused_by": ()}),
        (
            "RuntimeError: no kernel\nfor this (at backends/torch.py:140) (as its declared policies say)",
            {"verdict": "deviation"},
            {"reason": "raised", "error": ErrorFact("RuntimeError", "no kernel\nfor this", "backends/torch.py:140")},
        ),
        (
            "returned a result although smoothing above 1 [known: smoothing-is-not-checked, not reported]",
            {"verdict": "known", "check": "error", "observed": [1.0], "expected": "an error"},
            {
                "reason": "no-error",
                "detail": "smoothing above 1",
                "defect": DefectRef("smoothing-is-not-checked", "not reported"),
            },
        ),
        (
            "the classes of position 3 sum to 1.375, not 0",
            {"check": "gradient-sum", "observed": 1.375, "expected": 0.0},
            {"reason": "wrong-sum", "position": 3},
        ),
        (
            "observed clamps, declared nan: the declaration is wrong",
            {"check": "policy", "policy": "label-out-of-range/above", "observed": ["clamps"], "expected": "nan"},
            {"reason": "policy-differs"},
        ),
        (
            "the registered defect 'gone' does not show here: its entry is out of date",
            {"verdict": "fixed", "check": "register"},
            {"reason": "stale", "verdict": "stale", "defect": DefectRef("gone")},
        ),
        ("jax.nn has no weight", {"verdict": "unsupported"}, {"error": ErrorFact("", "jax.nn has no weight")}),
        ("something that no version said", {}, {"reason": "recorded", "detail": "something that no version said"}),
    ],
)
def test_what_a_message_says_becomes_facts(text: str, fields: dict[str, Any], facts: dict[str, Any]) -> None:
    made = upgraded(text, **fields)
    assert {name: getattr(made, name) for name in facts} == facts
    assert message(made) == text.replace("a result although", "a result; an error is due:")  # as it is worded now


@pytest.mark.parametrize("verdict", ["fail", "crash", "error", "deviation", "unsupported", "pass"])
def test_an_exception_cannot_pose_as_an_entry_of_the_register(verdict: str) -> None:
    made = upgraded("RuntimeError: boom [known: x, y]", verdict=verdict)
    assert made.defect is None and message(made) == "RuntimeError: boom [known: x, y]"


def test_of_a_known_defect_the_last_words_are_the_entry() -> None:
    made = upgraded("RuntimeError: boom [known: x, y] [known: real, not reported]", verdict="known")
    assert made.defect == DefectRef("real", "not reported")
    assert made.error == ErrorFact("RuntimeError", "boom [known: x, y]")


def test_the_position_is_a_field_and_the_numbers_stay() -> None:
    made = upgraded("", verdict="pass", worst_input={"position": 2, "logits": ["0x1p+0"], "class": 1}, ulp="inf")
    assert made.position == 2 and made.worst_input == {"logits": ["0x1p+0"], "class": 1} and made.ulp == "inf"


@pytest.mark.parametrize(("mode", "execution", "composition"), [("eager", "eager", ""), ("one-hot", "jit", "one-hot")])
def test_a_backend_has_an_identity(mode: str, execution: str, composition: str) -> None:
    old = {"record": "backend", "name": "jax:one-hot", "framework": "jax", "versions": {"jax": "1", "jaxlib": "2"},
           "device": "cpu", "mode": mode}  # fmt: skip
    made = decode_former(json.dumps(old).encode())
    assert isinstance(made, BackendRecord)
    assert made.id == BackendId(
        name="jax:one-hot", framework="jax", version="1", device="cpu", execution=execution, composition=composition
    )
    assert made.id.mode == mode

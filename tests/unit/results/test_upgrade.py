"""Results files of former schemas: a message stands as it was, but for the register's entry; joined texts do not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from conformance.model.backend import BackendId, BackendRecord
from conformance.model.outcome import DefectRef, Outcome
from conformance.model.records import Shard, decode_record, encode_record
from conformance.model.wording import message
from conformance.results.upgrade import FORMER, decode_former, specs_of

BASE = {
    "record": "outcome", "case": "c", "theme": "t", "backend": "b", "version": "1", "device": "cpu", "mode": "jit",
    "dtype": "float32", "layout": "contiguous", "op": "cross_entropy", "reduction": "mean", "check": "value",
    "verdict": "fail", "source": "b.py:1", "seconds": 0.5,
}  # fmt: skip
LINK = "https://github.com/jax-ml/jax/issues/40409"


def upgraded(text: str, **fields: Any) -> Outcome:
    made = decode_former(1, json.dumps({**BASE, "message": text, **fields}).encode())
    assert isinstance(made, Outcome) and decode_record(encode_record(made)) == made
    return made


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("0.5 instead of 0.25: class C, declared B; 3 times the bound, 7 ulp", "fail"),
        ("as its declared mean-of-all-ignored says", "deviation"),
        ("jax.nn has no weight", "unsupported"),
        ("RuntimeError: no kernel\nfor this (at backends/torch.py:140)", "error"),
    ],
)
def test_a_message_stands_as_it_was(text: str, verdict: str) -> None:
    made = upgraded(text, verdict=verdict)
    assert (made.reason, made.detail, made.verdict) == ("recorded", text, verdict)
    assert message(made) == text


def test_the_entry_of_a_known_defect_becomes_a_fact() -> None:
    made = upgraded(f"the curvature: nan instead of 0.0 [known: poisons, {LINK}]", verdict="known")
    assert made.defect == DefectRef("poisons", LINK) and made.detail == "the curvature: nan instead of 0.0"
    assert message(made) == f"the curvature: nan instead of 0.0 [known: poisons, {LINK}]"


def test_a_verdict_has_the_word_of_today() -> None:
    assert upgraded("the registered defect 'gone' does not show here", verdict="fixed").verdict == "stale"


@pytest.mark.parametrize("schema", FORMER)
@pytest.mark.parametrize(
    "line",
    [
        b'{"record":"outcome","message":3}',
        b'{"record":"backend","name":3}',
        b'{"record":"backend","name":"b","versions":3,"mode":[]}',
        b'{"record":"header","schema":1,"backends":3}',
        b'{"record":"other"}',
        b"[]",
    ],
)
def test_a_line_that_holds_no_record_is_refused(line: bytes, schema: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_former(schema, line)


@pytest.mark.parametrize("verdict", ["fail", "crash", "error", "deviation", "unsupported", "pass"])
def test_an_exception_cannot_pose_as_an_entry_of_the_register(verdict: str) -> None:
    made = upgraded("RuntimeError: boom [known: x, y]", verdict=verdict)
    assert made.defect is None and message(made) == "RuntimeError: boom [known: x, y]"


def test_of_a_known_defect_the_last_words_are_the_entry() -> None:
    made = upgraded("RuntimeError: boom [known: x, y] [known: real, not reported]", verdict="known")
    assert made.defect == DefectRef("real", "not reported")
    assert made.detail == "RuntimeError: boom [known: x, y]"


def test_the_position_is_a_field_and_the_numbers_stay() -> None:
    made = upgraded("", verdict="pass", worst_input={"position": 2, "logits": ["0x1p+0"], "class": 1}, ulp="inf")
    assert made.position == 2 and made.worst_input == {"logits": ["0x1p+0"], "class": 1} and made.ulp == "inf"


@pytest.mark.parametrize(("mode", "execution", "composition"), [("eager", "eager", ""), ("one-hot", "jit", "one-hot")])
def test_a_backend_has_an_identity(mode: str, execution: str, composition: str) -> None:
    old = {"record": "backend", "name": "jax:one-hot", "framework": "jax", "versions": {"jax": "1", "jaxlib": "2"},
           "device": "cpu", "mode": mode}  # fmt: skip
    made = decode_former(1, json.dumps(old).encode())
    assert isinstance(made, BackendRecord)
    assert made.id == BackendId(
        name="jax:one-hot", framework="jax", version="1", device="cpu", execution=execution, composition=composition
    )


def second(record: str, **fields: Any) -> Any:
    """The record of a line of schema 2."""
    made = decode_former(2, json.dumps({"record": record, **fields}).encode())
    assert decode_record(encode_record(made)) == made
    return made


@pytest.mark.parametrize(
    ("former", "word"),
    [("tangent", "jvp"), ("curvature", "hvp"), ("slope_of_targets", "target_gradient"), ("value", "value"), ("", "")],
)
def test_a_quantity_has_the_word_of_today(former: str, word: str) -> None:
    assert second(**{**BASE, "quantity": former}).quantity == word


@pytest.mark.parametrize(
    ("policy", "name", "aspect"),
    [("label-out-of-range/above", "label-out-of-range", "above"), ("plus-infinity", "plus-infinity", ""), ("", "", "")],
)
def test_the_aspect_of_a_policy_becomes_a_field(policy: str, name: str, aspect: str) -> None:
    fields = {**BASE, "check": "policy", "policy": policy, "observed": ["nan"]}
    made = second(**fields)
    assert (made.policy, made.aspect) == (name, aspect)


def test_results_in_memory_of_others_are_pairs() -> None:
    shared = {**BASE, "check": "unmodified", "reason": "shared", "detail": "value in logits, gradient in the weight"}
    made = second(**shared)
    assert made.observed == [["value", "logits"], ["gradient", "the weight"]] and not made.detail
    assert message(made).endswith("not its own: value in logits, gradient in the weight")


@pytest.mark.parametrize("within", ["backend", "header"])
def test_the_classes_of_an_adapter_have_a_field_of_their_own(within: str) -> None:
    place = {"file": "mine.py", "line": 3, "text": "class Mine: ..."}
    backend = {"name": "mine", "sources": {"softmax": place, "class Mine": place, "class Numpy": {**place, "line": 9}}}
    whole = {"schema": 2, "suite": "0", "started": "", "backends": [{"record": "backend", **backend}]}
    made = second("backend", **backend) if within == "backend" else second("header", **whole).backends[0]
    assert [*made.sources] == ["softmax"] and [(each.name, each.line) for each in made.classes] == [
        ("Mine", 3), ("Numpy", 9),
    ]  # fmt: skip


def test_a_shard_has_an_index_and_a_count() -> None:
    made = second("header", schema=2, suite="0", started="", selection={"shard": "2/5", "partition": "abc"})
    assert made.selected.shard == Shard(2, 5) and made.selected.partition == "abc"
    assert second("header", schema=2, suite="0", started="", selection={"shard": None}).selected.shard is None
    for wrong in ("0/3", "4/3", "1", "a/b", ""):
        with pytest.raises(msgspec.DecodeError):
            second("header", schema=2, suite="0", started="", selection={"shard": wrong})


@pytest.mark.parametrize(
    ("name", "spec"), [("numpy", "numpy"), ("mine", "some/mine.py:safe"), ("other:compile", "other:compile"), ("b", "")]
)
def test_the_spec_of_a_backend_is_found_among_those_of_the_run(name: str, spec: str) -> None:
    header = {
        "record": "header",
        "schema": 2,
        "selection": {"backends": ["numpy", "some/mine.py:safe", "other:compile"]},
    }
    specs = specs_of(json.dumps(header).encode())
    made = decode_former(2, json.dumps({"record": "backend", "name": name}).encode(), specs)
    assert isinstance(made, BackendRecord) and made.spec == spec


@pytest.mark.parametrize("header", [b"", b"[]", b'{"selection":3}', b'{"selection":{"backends":[1]}}', b"\xff"])
def test_a_header_without_specs_has_none(header: bytes) -> None:
    assert specs_of(header) == ()

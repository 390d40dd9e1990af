"""The kill matrix of a few kills, made, written and read back."""

from __future__ import annotations

from pathlib import Path

import msgspec

from conformance.cases.load import load_suite
from conformance.reports.kills import read_kills
from tests.support.case_files import write
from tests.yardstick.matrix import matrix
from tests.yardstick.matrix import write as write_matrix
from tests.yardstick.page import summary_text
from tests.yardstick.registry import Kind, title
from tests.yardstick.trial import Kill
from tests.yardstick.wrong import sums

CASES = """\
theme: small
cases:
  - {id: wide, why: w, op: softmax, logits: [1, 2, 3], flags: []}
  - {id: narrow, why: w, op: softmax, logits: [1]}
  - {id: idle, why: w, op: softmax, logits: [2]}
"""
KINDS: list[Kind] = [kind for kind in vars(sums).values() if getattr(kind, "__module__", "") == sums.__name__]


def test_what_is_counted_and_what_is_shared(tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if kind.__name__[0] != "_"][:3]
    first, second, third = (title(kind) for kind in kinds)
    kills = {
        first: [
            Kill("wide", "float32", "value"),
            Kill("wide", "float32", "gradient"),
            Kill("narrow", "float32", "value"),
        ],
        second: [Kill("wide", "float16", "value")],
        third: [],
    }
    entries = load_suite([write(tmp_path, CASES)]).entries
    made = matrix(kills, kinds, entries, {first: ("narrow", "float32")})
    assert (made.cases, made.useful, made.single, made.sole) == (3, 2, 1, 1)
    assert made.only == {"float64": 0, "a half type": 1}
    assert (made.wrong[first].example, made.wrong[first].checks) == ("narrow", ["value"])
    assert (made.wrong[first].cases, made.wrong[third].cases) == (2, 0)
    assert made.wrong[first].quick == ("narrow", "float32") and made.wrong[second].quick is None
    write_matrix(made, tmp_path / "kills.json")
    assert read_kills(tmp_path / "kills.json") == made
    assert len((tmp_path / "kills.json").read_text(encoding="utf-8").splitlines()) < 20
    assert "wrong backends: 3, killed: 2" in summary_text(made)
    partly = msgspec.structs.replace(made, note="The newest two are not held against all.")
    assert "\nThe newest two are not held against all.\n" in summary_text(partly)
    write_matrix(partly, tmp_path / "partly.json")
    assert read_kills(tmp_path / "partly.json") == partly
    assert read_kills(tmp_path / "nowhere.json") is None

"""What is asked of a backend: arguments as a case states them."""

from __future__ import annotations

import pickle
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.load import Entry, load_suite
from conformance.model.case import CaseTier
from conformance.run.chunk import chunk_of, unit_keys
from conformance.run.costs import expected_cost
from conformance.run.judged import judged
from conformance.run.plan import MOST, Plan

CASE = """
theme: options
cases:
  - {id: a-case, why: w, op: cross_entropy, logits: [[1, 2]], targets: [0], dtypes: [float32], reductions: [mean]%s}
"""


@pytest.mark.parametrize(
    ("stated", "given"), [("", None), (", label_smoothing: 0.0", 0.0), (", label_smoothing: 0.25", 0.25)]
)
def test_a_label_smoothing_that_is_stated_reaches_the_backend(tmp_path: Path, stated: str, given: float | None) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(CASE % stated, encoding="utf-8")
    chunk = chunk_of(Plan(load_suite([file]).entries, identities=False).portions[0])
    assert {dict(request.options)["label_smoothing"] for request in chunk.requests} == {given}


def test_where_no_reduction_is_stated_the_upstream_gradient_has_the_shape_of_the_declared_ones_value(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(CASE % "" + CASE[CASE.index("  - ") :].replace("mean", "default").replace("a-case", "left") % "")
    (portion,) = Plan(load_suite([file]).entries, identities=False).portions
    usual, other = (portion.asked_of(compiles=False, default_reduction=name) for name in ("mean", "none"))
    assert usual is portion
    for asked, shape in ((usual, ()), (other, (1,))):
        shapes = {dict(each.options)["reduction"]: each.upstream.shape for each in chunk_of(asked).requests}
        assert shapes == {"mean": (), None: shape}
    (stated,) = Plan(portion.entries[:1], identities=False).portions
    assert stated.asked_of(compiles=False, default_reduction="none") is stated


def test_portions_hold_every_case_once_and_in_order_and_cost_alike(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[0.5, {n}]], dtypes: [float32]}}\n"
    large = "- {id: large, why: w, op: softmax, logits: {distribution: ramp, shape: [512, 4096]}, dtypes: [float32]}\n"
    small = [case.format(n=n) for n in range(150)]
    file.write_text("theme: numbered\ncases:\n" + "".join([*small, large, case.format(n=150)]))
    entries = load_suite([file]).entries
    plan = Plan(entries)
    first, second, third, alone, last = (len(each.entries) for each in plan.portions)
    assert first == second > third > 1 == alone == last
    assert sum(expected_cost(each.case) for each in plan.portions[0].entries) <= MOST < expected_cost(entries[150].case)
    assert [entry for each in plan.portions for entry in each.entries] == list(entries)
    assert unit_keys(plan.portions[4], "mine") == {("mine", "case-150", "float32", "contiguous")}


def test_cases_of_one_kind_come_many_in_a_portion_and_fewer_towards_the_end(tmp_path: Path) -> None:
    def sizes(logits: str) -> list[int]:
        file = tmp_path / "cases.yaml"
        case = "- {{id: case-{n}, why: w, op: softmax, logits: {logits}, dtypes: [float32]}}\n"
        cases = [case.format(n=n, logits=logits.format(n=n)) for n in range(1200)]
        file.write_text("theme: numbered\ncases:\n" + "".join(cases))
        return [len(each.entries) for each in Plan(load_suite([file]).entries).portions]

    shapes_of_their_own = sizes("{{distribution: ramp, shape: [1, {n}]}}")
    alike = sizes("{{distribution: normal, seed: {n}, shape: [4, 5]}}")
    assert max(shapes_of_their_own) < 80
    assert alike == sorted(alike, reverse=True)
    assert alike[0] > 2 * alike[-2] > 2 * shapes_of_their_own[-2] - 10


ODD = """
theme: odd
cases:
  - {id: special, why: w, op: softmax, logits: [[.nan, -.inf, 3, 0.1]], expected: {value: [["1.0", "2"]]}}
  - {id: plain, why: w, op: nll_loss, log_probabilities: [[-1, -2.5]], targets: [[a, 1]], targets_as: python,
     expect: {error: no tensor}}
  - {id: seeded, why: w, op: cross_entropy, logits: {distribution: normal, shape: [2, 3], planted: [[0, .inf]]},
     targets: [1, 0], axis: default, policy: [default-axis]}
"""


def test_a_portion_arrives_as_it_was_sent(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(ODD, encoding="utf-8")
    first, *others = load_suite([file]).entries
    (portion,) = Plan([first.narrowed(["float64"]), *others]).portions
    arrived = pickle.loads(pickle.dumps(portion))
    assert repr(arrived) == repr(portion)


TIERS = """
theme: tiers
cases:
  - {id: usual, why: w, op: cross_entropy, logits: [[1, 2, 3], [0, 1, 0]], targets: [0, 1], dtypes: [float32]}
  - {id: dear, why: w, op: softmax, logits: [[1, 2]], dtypes: [float32], tier: full}
"""


@pytest.mark.parametrize(
    ("tier", "compiles", "cases", "checks"),
    [
        ("full", True, {"usual", "dear"}, {"composed", "shift", "split", "axis-move"}),
        ("default", False, {"usual", "dear"}, {"composed", "shift", "split", "axis-move"}),
        ("default", True, {"usual"}, {"shift"}),
    ],
)
def test_a_compiler_is_spared_new_shapes_unless_the_tier_is_full(
    tmp_path: Path, tier: CaseTier, compiles: bool, cases: set[str], checks: set[str]
) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(TIERS, encoding="utf-8")
    (portion,) = Plan(load_suite([file]).entries, tier=tier).portions
    asked = portion.asked_of(compiles=compiles, default_reduction="mean")
    chunk = chunk_of(asked)
    named = {each.derived.name for each in chunk.identities}
    assert {unit.problem.case.id for unit in chunk.units} == cases
    assert named & {"composed", "shift", "split", "axis-move"} == checks
    assert [(skip.entry.case.id, "--tier full" in skip.reason) for skip in chunk.skips] == [
        (name, True) for name in {"usual", "dear"} - cases
    ]
    known = {(case, dtype) for _, case, dtype, _ in unit_keys(portion, "mine")}
    assert known == {("usual", "float32"), ("dear", "float32")} == {(c, d) for _, c, d, _ in unit_keys(asked, "mine")}


def test_what_is_left_out_is_named_in_the_dtypes_that_are_asked_alone(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(TIERS.replace("[float32]", "[float64, float32, float16]"), encoding="utf-8")
    (portion,) = Plan(load_suite([file]).entries, dtypes=["float32"], tier="default").portions
    asked = portion.asked_of(compiles=True, default_reduction="mean")
    assert [(skip.entry.case.id, skip.dtype) for skip in chunk_of(asked).skips] == [("dear", "float32")]
    assert {dtype for _, _, dtype, _ in unit_keys(asked, "mine")} == {"float32"}


def test_what_is_found_of_a_case_does_not_depend_on_those_that_are_judged_with_it(tmp_path: Path) -> None:
    """A sum over no rows was shown with the first row of the next case as its worst input."""
    file = tmp_path / "cases.yaml"
    file.write_text(
        "theme: t\ncases:\n"
        "- {id: empty, why: w, op: cross_entropy, logits: {distribution: constant, shape: [0, 3]},"
        " targets: [], reductions: [sum], dtypes: [float32]}\n"
        "- {id: next, why: w, op: cross_entropy, logits: [[1, 2, 3]], targets: [1],"
        " reductions: [sum], dtypes: [float32]}\n"
    )
    entries = load_suite([file]).entries

    def found(*cases: Entry) -> list[bytes]:
        units = judged(Numpy(), cases, identities=False)
        return [msgspec.json.encode(replace(each, seconds=0.0)) for unit in units for each in unit]

    assert found(*entries) == [each for entry in entries for each in found(entry)]

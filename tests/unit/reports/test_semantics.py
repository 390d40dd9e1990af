"""The semantics matrix, from rows alone."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from conformance.model.backend import BackendId, BackendRecord, Declaration
from conformance.model.outcome import Outcome
from conformance.model.records import Header
from conformance.reports.merge import merge
from conformance.reports.relations import Relations
from conformance.reports.semantics import NOT_OFFERED, PolicyCell, PolicyRow, SemanticsMatrix, semantics
from conformance.reports.semantics_text import semantics_by_value, semantics_lines, semantics_rows
from conformance.results.store import Writer, read_run


def row(policy: str, observed: list[str], *, backend: str = "b", verdict: str = "pass", **more: Any) -> Outcome:
    fields = {"case": "c", "dtype": "float32", "layout": "contiguous", "op": "softmax", "check": "policy"}
    return Outcome(**{**fields, "backend": backend, "policy": policy, "observed": observed, "verdict": verdict, **more})


def record(name: str = "b", version: str = "1.0", **policies: Any) -> BackendRecord:
    declared = {key.replace("_", "-"): Declaration(value=value, documentation="d") for key, value in policies.items()}
    family, _, execution = name.partition(":")
    made = BackendId(name=name, framework=family, version=version, execution=execution or "eager")
    return BackendRecord(name=name, id=made, versions={family: version}, policies=declared)


def matrix_of(outcomes: list[Outcome], *records: BackendRecord) -> SemanticsMatrix:
    """The matrix of a run with these outcomes and backends."""
    with TemporaryDirectory() as folder:
        with Writer(folder, Header(suite="0", started="")) as writer:
            for each in records:
                writer.describe(each)
            writer.write(outcomes)
        relations = Relations([read_run(folder)])
        found = semantics(relations)
        relations.close()
        return found


def cells(row: PolicyRow) -> dict[str, PolicyCell]:
    return {column.label.removesuffix(" 1.0"): cell for column, cell in row.cells.items()}


def only(outcomes: list[Outcome], *records: BackendRecord) -> PolicyRow:
    (found,) = matrix_of(outcomes, *records).rows
    return found


def test_what_all_calls_have_in_common_is_observed() -> None:
    found = only([row("axis", ["1", "-1"]), row("axis", ["1", "0"])], record(axis="1"))
    assert cells(found)["b"].observed_text == "1" and cells(found)["b"].differing == ()


def test_of_two_values_that_describe_a_call_alike_the_declared_one_is_observed() -> None:
    for declared in ("inf", "value"):
        found = cells(only([row("overflow", ["value", "inf"])], record(overflow=declared)))["b"]
        assert found.observed_text == declared and found.differing == ()


def test_where_declarations_differ_by_operation_each_has_its_own() -> None:
    declared = record(reach="nan")
    declared.policies["reach"] = Declaration(value="nan", documentation="d", by_kind=True)
    outcomes = [
        row("reach", ["nan"], expected="nan"),
        row("reach", ["inf"], op="log_softmax", expected="inf", verdict="deviation"),
    ]
    cell = cells(only(outcomes, declared))["b"]
    assert cell.differing == () and cell.declared_text == "inf: log_softmax float32; nan: softmax float32"
    outcomes.append(row("reach", ["limit"], op="log_softmax", dtype="float16", expected="inf", verdict="fail"))
    assert cells(only(outcomes, declared))["b"].differing == ("log_softmax float16",)


def test_an_observation_beside_the_declaration_is_marked() -> None:
    outcomes = [row("label", ["nan"], aspect="above", verdict="fail"), row("label", ["raise"], aspect="below")]
    cell = cells(only(outcomes, record(label="raise")))["b"]
    assert cell.differing == ("above",) and cell.declared_text == "raise"
    assert "**≠** nan: above; raise: below (raise declared)" in "\n".join(
        semantics_lines(matrix_of(outcomes, record(label="raise")))
    )


def test_the_name_of_a_policy_may_hold_what_its_aspect_is_joined_by() -> None:
    found = only([row("mine/label", ["nan"]), row("mine/label", ["zero"], aspect="above")])
    assert found.policy == "mine/label" and cells(found)["b"].observed_text == "nan; zero: above"


def test_calls_that_contradict_each_other_are_listed_with_their_cases() -> None:
    outcomes = [row("p", ["nan"]), row("p", ["nan"]), row("p", ["zero"], case="odd")]
    cell = cells(only(outcomes, record(p="nan")))["b"]
    assert cell.observed[""].values == (("nan",), ("zero",)) and cell.observed_text == "nan and zero"
    assert cell.observed[""].cases == ("odd",) and cell.differing == ("",)


def test_a_value_may_hold_the_words_that_join_values() -> None:
    cell = cells(only([row("p", ["nan or zero"])], record(p="nan or zero")))["b"]
    assert cell.observed[""].values == (("nan or zero",),) and cell.differing == ()
    assert cells(only([row("p", ["nan or zero"])], record(p="nan")))["b"].differing == ("",)
    outcomes = [row("p", ["nan or zero"]), row("p", ["nan or zero"]), row("p", ["nan"], case="odd")]
    assert cells(only(outcomes, record(p="nan")))["b"].observed[""].cases == ("odd",)


def test_known_defects_and_spoiled_calls_are_not_evidence() -> None:
    outcomes = [row("p", ["nan"]), row("p", ["zero"], verdict="known"), row("p", ["other"], verdict="not run")]
    assert cells(only(outcomes, record(p="nan")))["b"].observed_text == "nan"


def test_a_backend_without_a_profile_is_observed_all_the_same() -> None:
    cell = cells(only([row("p", ["nan"], backend="mine")]))["mine"]
    assert cell.observed_text == "nan" and cell.declared_text == "" and cell.differing == ()


def test_modes_that_differ_are_named_by_framework() -> None:
    outcomes = [row("p", ["raise"], backend="tf"), row("p", ["nan"], backend="tf:xla"), row("p", ["nan"])]
    assert only(outcomes, record("tf"), record("tf:xla"), record()).modes_differ == {"tf": ("",)}
    assert only(outcomes, record("tf"), record("tf:xla", version="2.0"), record()).modes_differ == {}


def test_what_a_framework_lacks_is_not_offered_and_no_difference() -> None:
    lacking = row("p", [], aspect="nll_loss", verdict="unsupported")
    for found, declared in (
        ([lacking], "unsupported"),
        ([lacking], "raise"),
        ([lacking, row("p", ["raise"], aspect="softmax")], "raise"),
    ):
        assert cells(only(found, record(p=declared)))["b"].differing == ()
    assert cells(only([lacking], record(p="raise")))["b"].observed_text == NOT_OFFERED


def test_a_result_that_is_wrong_otherwise_shows_nothing_of_a_policy() -> None:
    spoilt = row("p", ["other"], verdict="not run")
    assert cells(only([spoilt], record(p="value")))["b"].observed == {}
    assert (
        cells(only([spoilt, row("p", [], verdict="unsupported")], record(p="value")))["b"].observed_text == NOT_OFFERED
    )


def test_a_list_of_dtypes_is_listed_one_by_one() -> None:
    outcomes = [row("target-dtypes", ["refused"], aspect="int32"), row("target-dtypes", ["accepted"], aspect="int64")]
    cell = cells(only(outcomes, record(target_dtypes=["int64"])))["b"]
    assert cell.declared == {"int32": "refused", "int64": "accepted"} and cell.differing == ()


def test_checks_of_derivatives_speak_for_their_policies() -> None:
    def derivative(check: str, verdict: str) -> Outcome:
        return row("", [], check=check, verdict=verdict)

    outcomes = [
        derivative("second-order", "pass"),
        derivative("second-order", "fail"),
        derivative("forward-mode", "unsupported"),
    ]
    matrix = matrix_of(outcomes, record())
    assert {each.policy: cells(each)["b"].observed_text for each in matrix.rows} == {
        "double-differentiation": "wrong",
        "forward-mode": "refused",
    }


def test_a_call_that_another_policy_has_raise_says_nothing_of_a_derivative() -> None:
    raised = msgspec.structs.replace(row("", [], check="forward-mode", verdict="deviation"), observed=None)
    passed = row("", [], check="forward-mode", verdict="pass", case="d")
    declared = record(forward_mode="supported")
    assert cells(only([raised, passed], declared))["b"].observed_text == "supported"
    assert cells(only([raised], declared))["b"].observed_text == "refused"


def test_a_derivative_that_is_declared_not_to_be_there_is_no_difference() -> None:
    lacking = row("", [], check="forward-mode", verdict="unsupported")
    cell = cells(only([lacking], record(forward_mode="unsupported")))["b"]
    assert cell.observed_text == NOT_OFFERED and cell.differing == ()
    assert cells(only([lacking], record(forward_mode="supported")))["b"].differing == ("",)


def test_by_value_the_modes_of_a_backend_that_agree_are_counted() -> None:
    names = ["a", "a:graph", "b", "b:eager", "c"]
    seen = {"a": "nan", "a:graph": "nan", "b": "nan", "b:eager": "raise"}
    outcomes = [row("p", [value], backend=name) for name, value in seen.items()]
    outcomes.append(row("p", [], backend="c", verdict="unsupported"))
    lines = semantics_by_value(matrix_of(outcomes, *(record(name, p="nan") for name in names)))
    found = [line.replace("\\", "") for line in lines if line.startswith("| p")]
    assert found[1:] == [
        "| p ⇄ b | nan | a (2 modes), b |",
        "| p ⇄ b | **≠** raise (nan declared) | b:eager |",
        "| p ⇄ b | not offered | c |",
    ]


def test_versions_of_one_backend_stand_side_by_side(tmp_path: Path) -> None:
    older = BackendRecord(name="b", versions={"b": "0.9"})
    for folder, made, observed in (("old", older, "nan"), ("new", record(), "zero")):
        with Writer(tmp_path / folder, Header(suite="0", started=folder)) as writer:
            writer.describe(made)
            writer.write([row("p", [observed])])
    (found,) = semantics(merge([tmp_path]).relations).rows
    assert {column.label: cell.observed_text for column, cell in found.cells.items()} == {
        "b 0.9": "nan",
        "b 1.0": "zero",
    }


def test_hostile_names_change_no_table() -> None:
    outcomes = [row("x|<b>`", ["nan | [x](y)"], backend="evil|\x1b[31m<script>")]
    (line,) = [line for line in semantics_lines(matrix_of(outcomes)) if line.startswith("| x")]
    assert line.count("|") - line.count("\\|") == 3 and "<b>" not in line and "\x1b" not in line


def test_rows_hold_both_sides() -> None:
    (found,) = semantics_rows(matrix_of([row("p", ["nan"], verdict="fail")], record(p="zero")))
    assert (found["declared"], found["observed"], found["differs"]) == ("zero", "nan", ["all"])

"""What ``conformance lint`` finds in a register of known defects."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.load import load_suite
from conformance.profiles.lint import lint_profiles
from tests.support.profile_text import CASES, ENTRY, profile


def problems(folder: Path, text: str) -> list[str]:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    cases = folder / "cases"
    cases.mkdir(exist_ok=True)
    (cases / "some.yaml").write_text(CASES, encoding="utf-8")
    known = [entry.case for entry in load_suite([cases]).entries]
    found = lint_profiles(folder, known, {"mine": ("cpu", "cuda", "eager", "compile")})
    assert all(each.hint and each.place.line for each in found)
    return [each.problem for each in found]


def test_a_narrow_entry_that_meets_its_cases_is_accepted(tmp_path: Path) -> None:
    assert problems(tmp_path, profile(ENTRY)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cases: [plain]", "cases: [plane]", "no case matches 'plane'"),
        ("cases: [plain]", "cases: ['nothing-*']", "no case matches 'nothing-*'"),
        ("cases: [plain]", "cases: [refused]", "'refused' cannot show entry 'late'"),
        ("checks: [value]", "checks: [valu]", "there is no check 'valu'"),
        ("checks: [value]", "checks: [error]", "'plain' cannot show entry 'late'"),
        ("checks: [value]", "checks: []", "entry 'late' names no checks"),
        ("ops: [softmax]", "ops: [softmin]", "there is no operation 'softmin'"),
        ("ops: [softmax]", "ops: [nll_loss]", "'plain' cannot show entry 'late'"),
        ("ops: [softmax]", "dtypes: [float16]", "'plain' cannot show entry 'late'"),
        ("ops: [softmax]", "reductions: [mean]", "'plain' cannot show entry 'late'"),
        ("ops: [softmax]", "modes: [complie]", "there is no option 'complie'"),
        ("reached: [C]", "reached: []", "entry 'late' does not say what is seen"),
        ("reached: [C]", "message: ' '", "entry 'late' does not say what is seen"),
        ("reached: [C]", "reached: [F]", "entry 'late' describes any wrong result"),
        ("reached: [C]", "at_most: .inf", "entry 'late' describes a result that is wrong by any size"),
        ("ops: [softmax]", "verdicts: [fail, not run]", "there is no verdict of a defect 'not run'"),
        (
            "cases: [plain]\n    checks: [value]\n    ops: [softmax]\n    reached: [C]",
            "cases: ['*']\n    checks: [value]\n    at_most: 1.0e+7",
            "entry 'late' describes any wrong result of every case",
        ),
        ("issue: not reported", "issue: somewhere", "'somewhere' is not an issue that can be followed"),
        ("title: The value is late", "", "entry 'late' has no title"),
        ("title: The value is late", f"title: {'late ' * 30}", "the title of entry 'late' is too long"),
        (
            "title: The value is late",
            "title: |-\n      The value\n      is late",
            "the title of entry 'late' is too long",
        ),
        ("date: 2026-01-31", "date: last winter", "'last winter' is not a date"),
        ("tested: [mine 1.0]", "tested: []", "it is not said on which versions the defects were seen"),
    ],
)
def test_an_entry_that_matches_nothing_or_hides_too_much(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = profile(ENTRY)
    assert old in text
    assert said in problems(tmp_path, text.replace(old, new))


#: An entry that a result came where an error is due.
SILENT = ENTRY.replace("[plain]", "[refused]").replace("[value]", "[error]").replace("    reached: [C]\n", "")


def test_where_no_error_comes_the_case_says_what_is_seen(tmp_path: Path) -> None:
    assert problems(tmp_path, profile(SILENT)) == []
    every = SILENT.replace("[refused]", "['refuse*']").replace("ops: [softmax]", "invalid: [axis]")
    assert problems(tmp_path, profile(every)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ops: [softmax]", "message: no such axis", "where no error came there is no 'message'"),
        ("ops: [softmax]", "reached: [F]", "where no error came there is no 'reached'"),
        ("ops: [softmax]", "at_most: 2", "where no error came there is no 'at_most'"),
        ("ops: [softmax]", "right_in: float32", "where no error came there is no 'right_in'"),
        ("[refused]", "['refuse*']", "entry 'late' does not say in which cases no error comes"),
        ("[error]", "[value]\n    reached: [C]\n    invalid: [axis]", "'invalid' is of the check `error` alone"),
        ("ops: [softmax]", "invalid: [no-such-word]", "unknown word 'no-such-word'"),
        ("[error]", "[error, policy]", "entry 'late' does not say what is seen"),
        ("ops: [softmax]", "verdicts: [crash]", "entry 'late' does not say what is seen"),
    ],
)
def test_what_does_not_describe_a_missing_error(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SILENT
    assert said in problems(tmp_path, profile(SILENT.replace(old, new)))


#: An entry that leaves open what comes of its cases.
COMES_AND_GOES = ENTRY.replace("    reached: [C]\n", "    severity: memory-error\n    intermittent: true\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("memory-error", "wrong-number", "entry 'late' is not a memory error"),
        ("[plain]", "['pl*']", "entry 'late' does not say what comes and goes"),
        ("[value]", "[gradient]", "an intermittent entry is not about gradient"),
        ("ops: [softmax]", "message: process ended", "'message' narrows what is left open whatever comes"),
        ("ops: [softmax]", "reductions: [none]", "'reductions' narrows what is left open whatever comes"),
    ],
)
def test_what_comes_and_goes_is_of_named_cases_and_memory_alone(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert problems(tmp_path, profile(COMES_AND_GOES)) == []
    assert old in COMES_AND_GOES and said in problems(tmp_path, profile(COMES_AND_GOES.replace(old, new)))


@pytest.mark.parametrize(("dtypes", "narrower"), [("[float32]", "float32"), ("[float16]", "bfloat16")])
def test_a_dtype_that_is_not_below_those_of_the_entry(tmp_path: Path, dtypes: str, narrower: str) -> None:
    entry = ENTRY.replace("reached: [C]", f"dtypes: {dtypes}\n    right_in: {narrower}")
    assert f"'{narrower}' is not compared with the entry's dtypes" in problems(tmp_path, profile(entry))
    fitting = ENTRY.replace("reached: [C]", "dtypes: [float32]\n    right_in: bfloat16")
    assert problems(tmp_path, profile(fitting)) == []


def test_a_half_type_is_below_float32_where_its_values_may_be_held_to_that(tmp_path: Path) -> None:
    said = "'float16' is not compared with the entry's dtypes"
    entry = profile(ENTRY.replace("reached: [C]", "dtypes: [float16]\n    right_in: float16"))
    assert said in problems(tmp_path, entry)
    policy = "policies:\n  half-type-result: {value: float32, documentation: undocumented}\nknown:"
    assert said not in problems(tmp_path, entry.replace("known:", policy))
    assert said in problems(tmp_path, entry.replace("known:", policy).replace("[float16]", "[bfloat16]"))


def test_words_of_what_ended_a_call_for_which_an_error_is_due(tmp_path: Path) -> None:
    ended = SILENT.replace("ops: [softmax]", "verdicts: [crash]\n    message: SIGSEGV")
    assert problems(tmp_path, profile(ended)) == []


def test_an_id_that_is_taken(tmp_path: Path) -> None:
    assert "id 'late' is taken" in problems(tmp_path, profile(ENTRY + ENTRY))


def test_an_option_is_one_of_the_extended_backend_or_of_the_kernel(tmp_path: Path) -> None:
    infinity = "plus-infinity:\n    {value: nan, documentation: undocumented, variants: {%s: inf}}\n"
    file, kernel = tmp_path / "mine.profile.yaml", tmp_path / "mine.py"
    for word, said in (("cuda", []), ("gpu", ["there is no option 'gpu'"]), ("fused", [])):
        file.write_text(f"backend: mine\nextends: numpy\npolicies:\n  {infinity % word}", encoding="utf-8")
        kernel.write_text("class Mine:\n    compiled = ('fused',)\n", encoding="utf-8")
        found = lint_profiles(tmp_path, [], {"numpy": ("cpu", "cuda")})
        assert [each.problem for each in found] == said
        assert all(each.place and each.place.line == 5 and "cpu, cuda" in str(each.hint) for each in found), found


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            "double-differentiation: {value: {softmin: refused}, documentation: undocumented}",
            "there is no operation 'softmin'",
        ),
        ("label-out-of-range: {value: {up: nan}, documentation: undocumented}", "not a value of this policy"),
        ("subnormal-results: {value: {float8: kept}, documentation: undocumented}", "there is no dtype 'float8'"),
        (
            "plus-infinity: {value: nan, documentation: undocumented, variants: {tpu: inf}}",
            "there is no option 'tpu'",
        ),
        (
            "plus-infinity: {value: nan, documentation: undocumented, variants: {cuda: infinite}}",
            "not a value of this policy",
        ),
    ],
)
def test_policies_of_kinds_and_modes_that_do_not_exist(tmp_path: Path, policy: str, said: str) -> None:
    found = problems(tmp_path, profile(ENTRY).replace("known:", f"policies:\n  {policy}\nknown:"))
    assert any(said in each for each in found), found

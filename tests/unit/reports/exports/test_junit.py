"""JUnit XML, read by a parser that is not ours."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from conformance.model.backend import BackendRecord
from conformance.model.verdicts import VERDICTS
from tests.support.exports import HOSTILE, hostile, of_every_verdict, outcome, report, write_run


def suites(path: Path) -> list[TestSuite]:
    return list(JUnitXml.fromfile(str(path)))


def kind(case: TestCase) -> type | None:
    return type(case.result[0]) if case.result else None


def test_each_verdict_becomes_what_it_means(tmp_path: Path) -> None:
    write_run(tmp_path / "run", of_every_verdict())
    assert report(tmp_path / "run", tmp_path, "--junit", tmp_path / "junit.xml") == 0
    (suite,) = suites(tmp_path / "junit.xml")
    meaning = dict(zip(VERDICTS, map(kind, suite), strict=True))
    assert meaning == {
        "pass": None, "deviation": None, "fail": Failure, "stale": Failure, "known": Skipped, "unsupported": Skipped,
        "not run": Skipped, "crash": Error, "timeout": Error, "unreproduced": Error, "error": Error,
    }  # fmt: skip
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (11, 2, 4, 3)
    assert suite.name == "some 1.2" and suite.time == pytest.approx(0.25 * len(VERDICTS))


def test_a_test_case_says_what_was_checked_and_why_it_ended_so(tmp_path: Path) -> None:
    made = [
        outcome(layout="transposed", observed=0.5, expected=1.0, ulp=12.0, class_="F", ratio="inf"),
        outcome(verdict="deviation", detail="as declared"),
        outcome(verdict="unsupported", detail="no such feature"),
    ]
    write_run(tmp_path / "run", made)
    report(tmp_path / "run", tmp_path, "--junit", tmp_path / "junit.xml")
    failed, deviating, skipped = next(iter(suites(tmp_path / "junit.xml")))
    assert (failed.classname, failed.name) == ("some-theme", "some-case float32 transposed mean value")
    for words in ("observed: 0.5", "exact: 1", "ulp: 12", "class: F", "error/bound: inf", "source: backends/some.py:12",
                  "explain: conformance explain some-case -b some --dtype float32"):  # fmt: skip
        assert words in failed.result[0].text
    (declared,) = ElementTree.fromstring(deviating.tostring()).iter("property")
    assert (declared.get("name"), declared.get("value")) == ("deviation", "as declared")
    assert skipped.result[0].message == "unsupported: no such feature"


def test_a_suite_for_each_backend_of_each_run(tmp_path: Path) -> None:
    some = [outcome(backend="a"), outcome(backend="b"), outcome(backend="a")]
    write_run(tmp_path / "runs" / "one", some)
    write_run(tmp_path / "runs" / "two", [outcome(backend="a")], version="1.3")
    report(tmp_path / "runs", tmp_path, "--junit", tmp_path / "junit.xml")
    assert [(each.name, each.tests) for each in suites(tmp_path / "junit.xml")] == [
        ("a 1.2", 2), ("b 1.2", 1), ("a 1.3", 1)
    ]  # fmt: skip


def test_a_backend_that_did_not_run_and_a_truncated_run_are_errors(tmp_path: Path) -> None:
    gone = BackendRecord(name="gone", error="cannot be imported")
    write_run(tmp_path / "run", [outcome(verdict="pass")], complete=False, backends=[gone])
    report(tmp_path / "run", tmp_path, "--junit", tmp_path / "junit.xml")
    errors = {each.name: each.errors for each in suites(tmp_path / "junit.xml")}
    assert errors == {"some 1.2": 0, "gone": 1, "run": 1}


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    write_run(tmp_path / "run", hostile())
    report(tmp_path / "run", tmp_path, "--junit", tmp_path / "junit.xml")
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    tags = {each.tag for each in root.iter()}
    assert tags == {"testsuites", "testsuite", "properties", "property", "testcase", "failure"}
    assert len(root.findall("testsuite/testcase/failure")) == len(HOSTILE)
    messages = [each.get("message", "") for each in root.iter("failure")]
    assert messages[0] == HOSTILE[0] and messages[4].startswith("\\x1b[31mred")

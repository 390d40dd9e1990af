"""A backend that died: what came of it has its place in every report, and nothing that was not run counts as right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from conformance.model.backend import BackendRecord
from conformance.model.outcome import ErrorFact, Outcome
from tests.support.cli import Run, write
from tests.support.outcomes import outcome, record, run

pytestmark = pytest.mark.slow

DEATH = ErrorFact("SIGSEGV", "Stack: line 5")


def unreproduced(case: str = "c") -> Outcome:
    return dead(case, verdict="unreproduced", check="process", reason="unreproduced")


def lost(case: str) -> Outcome:
    return dead(case, verdict="not run", reason="failed")


def dead(case: str, **fields: Any) -> Outcome:
    nothing: dict[str, Any] = {"class_": None, "ulp": None, "ratio": None, "observed": None, "expected": None}
    return outcome(case, **{**nothing, "error": DEATH, **fields})


def report(conformance: Run, tmp_path: Path, *found: Outcome) -> tuple[str, str, dict[str, Any], Any]:
    """The first page, the job summary, the badge, and the suite in JUnit of a run with these outcomes."""
    run(tmp_path / "run", found)
    exports = ("--badge", "badges", "--summary", "job.md", "--junit", "junit.xml", "--details", "9")
    assert conformance("report", "run", "--output", "site", *exports).code == 0
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    badge = json.loads((tmp_path / "badges" / "one.json").read_text(encoding="utf-8"))
    return page, (tmp_path / "job.md").read_text(encoding="utf-8"), badge, suite


def test_a_death_that_does_not_come_back(tmp_path: Path, conformance: Run) -> None:
    page, summary, badge, suite = report(conformance, tmp_path, outcome("c"), unreproduced())
    assert "does not conform" in page and "1 unreproduced failure of 2 checks" in page
    assert "**Not conforming**: one 1.0." in summary and "| unreproduced | c |" in summary and "SIGSEGV" in summary
    assert badge["isError"] is True and badge["message"] == "1 unreproduced"
    assert (suite.get("errors"), suite.get("skipped")) == ("1", "0")
    assert "unreproduced" in (tmp_path / "site" / "cases" / "c.html").read_text(encoding="utf-8")
    assert "SIGSEGV" in (tmp_path / "site" / "dossier" / "one.md").read_text(encoding="utf-8")


def test_each_reason_for_which_checks_were_not_reached(tmp_path: Path, conformance: Run) -> None:
    errors = [ErrorFact("Lost", text) for text in ("this", "that", "that", "a", "b", "that", "this")]
    found = [dead(f"c{number}", verdict="not run", reason="failed", error=each) for number, each in enumerate(errors)]
    summary = report(conformance, tmp_path, outcome("c"), *found)[1]
    said = [line.partition("**: ")[2] for line in summary.splitlines() if "not reached" in line]
    assert said == [
        "3 checks were not reached: that",
        "2 checks were not reached: this",
        "1 check was not reached: a",
        "1 check was not reached for other reasons",
    ]


def test_what_was_not_reached_is_neither_right_nor_skipped(tmp_path: Path, conformance: Run) -> None:
    page, summary, badge, suite = report(conformance, tmp_path, outcome("c"), lost("d"), lost("e"))
    assert "not settled" in page and "1 checks were made. 2 more were not reached." in page
    assert "**Not settled**: one 1.0." in summary and "conforms" not in summary
    assert "2 checks were not reached: " in summary
    assert (badge["message"], badge["color"]) == ("1 right, 2 not reached", "lightgrey")
    assert (suite.get("tests"), suite.get("errors"), suite.get("skipped")) == ("3", "2", "0")


def test_a_run_in_which_nothing_was_checked_does_not_conform(tmp_path: Path, conformance: Run) -> None:
    left_out = [dead(case, verdict="not run", reason="left-out", error=None) for case in ("c", "d")]
    page, summary, badge, suite = report(conformance, tmp_path, *left_out)
    assert "nothing run" in page and "**Not settled**: one 1.0." in summary and "conforms" not in summary
    assert badge["color"] == "lightgrey" and suite.get("skipped") == "2"


def test_a_diff_finds_new_deaths(tmp_path: Path, conformance: Run) -> None:
    runs = {
        "sound": [outcome("c"), outcome("d")],
        "dying": [outcome("c"), outcome("d"), unreproduced()],
        "dying elsewhere": [outcome("c"), outcome("d"), unreproduced("d")],
        "not reached": [outcome("c"), lost("d")],
    }
    for name, found in runs.items():
        run(tmp_path / name, found)
    for old, new, code in (("sound", "dying", 1), ("sound", "not reached", 1), ("dying", "dying elsewhere", 0),
                           ("not reached", "sound", 0), ("dying", "sound", 0)):  # fmt: skip
        ran = conformance("diff", old, new, "--format", "json")
        assert (ran.code, len(ran.json["regressions"])) == (code, code), (old, new)


DYING = """\
import os
from pathlib import Path

from conformance.backends.adapters.numpy import Numpy

COUNT = Path(__file__).with_suffix(".count")


class Dies(Numpy):
    def softmax(self, logits, *, axis, where=None):
        if len(COUNT.read_text() if COUNT.exists() else "") < 2:  # twice, and then never again
            with COUNT.open("a") as file:
                file.write("x")
            os._exit(7)
        return super().softmax(logits, axis=axis, where=where)
"""


def test_deaths_are_counted_in_the_record_and_said_everywhere(tmp_path: Path, conformance: Run) -> None:
    write(tmp_path / "dies.py", DYING)
    write(tmp_path / "small.yaml")
    words = ("run", "-b", "dies.py", "-b", "numpy", "--cases", "small.yaml", "--output", "run", "--replace", "-q")
    ran = conformance(*words, "--format", "json")
    count, again = ran.json["deaths"]["dies"], ran.json["restarts"]["dies"]
    assert again >= 2 and ran.json["restarts"].keys() == {"dies"} and ran.json["given_up"] == {}
    assert ran.code == 1 and count >= 2 and ran.json["deaths"].keys() == {"dies"}
    said = f"its process died, or had to be ended, {count} times, and was started again {again} times"
    assert said in (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")
    exports = ("--summary", "job.md", "--junit", "junit.xml")
    ran = conformance("report", "run", "--output", "site", *exports, "--cases", "small.yaml")
    assert f"dies: {said}" in ran.out and f"**dies**: {said}" in (tmp_path / "job.md").read_text(encoding="utf-8")
    for page in ("index.html", "runs.html"):
        assert said in (tmp_path / "site" / page).read_text(encoding="utf-8")
    counted = [
        {each.get("name"): each.get("value") for each in suite.iter("property")}
        for suite in ElementTree.parse(tmp_path / "junit.xml").getroot()
    ]
    found = {(each.get("deaths"), each.get("restarts")) for each in counted}
    assert found == {(str(count), str(again)), (None, None)}


def test_deaths_of_shards_are_those_of_the_whole(tmp_path: Path, conformance: Run) -> None:
    write(tmp_path / "dies.py", DYING)
    write(tmp_path / "small.yaml")
    words = ("run", "-b", "dies.py", "--cases", "small.yaml", "-q", "--format", "json")
    ran = [conformance(*words, "--shard", f"{i}/2", "--output", f"parts/{i}").json for i in (1, 2)]
    assert sum(each[name].get("dies", 0) for each in ran for name in ("deaths", "restarts")) >= 4
    whole = conformance("report", "parts", "--output", "site", "--cases", "small.yaml").out
    deaths, restarts = (sum(each[name].get("dies", 0) for each in ran) for name in ("deaths", "restarts"))
    assert f"had to be ended, {deaths} times, and was started again {restarts} times" in whole


def test_a_backend_that_was_given_up_has_run_so_far(tmp_path: Path, conformance: Run) -> None:
    gone = msgspec.structs.replace(record("one"), error="its judge has ended", through=3, planned=40)
    never = BackendRecord(name="two", error="it does not start", planned=40)
    run(tmp_path / "run", [outcome("c")], backends=[gone, never])
    said = ("one was given up after 3 of 40 cases", "two did not run")
    ran = conformance("report", "run", "--output", "site", "--summary", "job.md", "--junit", "j.xml", "--badge", "b")
    texts = [ran.out, *((tmp_path / each).read_text(encoding="utf-8") for each in ("job.md", "site/summary.md"))]
    texts += [(tmp_path / "site" / each).read_text(encoding="utf-8") for each in ("index.html",)]
    assert all(each in text for each in said for text in texts)
    runs, junit = ((tmp_path / each).read_text(encoding="utf-8") for each in ("site/runs.html", "j.xml"))
    assert "was given up after 3 of 40 cases: its judge has ended" in runs and "did not run: it does not" in runs
    assert "the backend was given up after 3 of 40 cases" in junit and "the backend did not run" in junit
    badges = [json.loads((tmp_path / "b" / f"{name}.json").read_text())["message"] for name in ("one", "two")]
    assert badges == ["1 right, given up", "did not run"]

"""Pages that are written from data are current, and what they name exists."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from dataclasses import fields
from fnmatch import fnmatchcase
from typing import Any

import pytest

from conformance.backends.adapters.base import Offers
from conformance.backends.contract import Backend
from conformance.cases.load import load_suite
from conformance.model.case import OPERATIONS
from conformance.model.policies import POLICIES
from conformance.places import PROFILES, ROOT
from conformance.profiles.load import load_profile
from conformance.profiles.profile import Profile
from conformance.reports.documents import findings_text, read_reports, reported_text
from conformance.reports.escape import escape
from conformance.reports.nightly.frameworks import read_frameworks
from conformance.reports.versions_text import read_histories, versions_text

BACKENDS = ("jax", "numpy", "optax", "tensorflow", "torch")


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return {name: load_profile(ROOT / "backends" / "profiles" / f"{name}.yaml") for name in BACKENDS}


def test_findings_are_those_of_the_registers() -> None:
    command = [sys.executable, "-m", "conformance", "list", "defects", "--format", "json"]
    rows: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (ROOT / "docs" / "findings.md").read_text(encoding="utf-8") == findings_text(rows)


def test_the_page_of_versions_is_that_of_its_data_which_names_what_there_is() -> None:
    histories = read_histories()
    assert (ROOT / "docs" / "versions.md").read_text(encoding="utf-8") == versions_text(histories, read_frameworks())
    asked = {backend for about in read_frameworks().values() for backend in (*about.asked, *about.backends)}
    registers = {file.stem: {entry.id for entry in load_profile(file).known} for file in PROFILES.glob("*.yaml")}
    for history in histories:
        assert history.backend in asked
        named = {each.defect for each in history.defects if each.registered}
        assert named <= registers[history.backend.partition(":")[0]], history.backend


def test_an_entry_about_errors_says_what_happens_instead() -> None:
    row = {
        "backend": "b", "defect": "d", "severity": None, "title": "t", "why": "w", "ops": ["softmax"], "dtypes": [],
        "checks": ["error"], "seen": [], "message": "", "seen_on": ["x 1"], "versions": "", "date": "2026-01-01",
        "machine": "", "issue": "", "shown_by": "explain",
    }  # fmt: skip
    assert "observed: no error where one is due\n" in findings_text([row])
    text = findings_text([row | {"message": "SIGSEGV"}])
    assert "observed: SIGSEGV\n" in text and "no error" not in text and "- comes and goes" not in text
    assert "- comes and goes: of these calls any result" in findings_text([row | {"intermittent": True}])


def test_the_gravest_findings_come_first_and_are_counted() -> None:
    row = {
        "backend": "b", "title": "t", "why": "w", "ops": [], "dtypes": [], "checks": ["value"], "seen": ["0.0"],
        "message": "", "seen_on": ["x 1"], "versions": "", "date": "2026-01-01", "machine": "", "issue": "",
        "shown_by": "explain",
    }  # fmt: skip
    severities = {"later": "divergence", "unsaid": None, "first": "wrong-number"}
    text = findings_text([row | {"defect": name, "severity": each} for name, each in severities.items()])
    assert re.findall("^### (.*)", text, re.MULTILINE) == ["first", "later", "unsaid"]
    assert "- severity: wrong number\n" in text and text.count("- severity") == 2
    assert "| backend | wrong number | divergence | in all |" in text and "| b | 1 | 1 | 3 |" in text
    assert "| *all* | 1 | 1 | 3 |" in text


def test_the_defects_that_the_readme_names_are_in_the_registers() -> None:
    named = re.findall(r"\[([\w-]+)\]\(docs/findings\.md#", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(named) >= 3
    assert {*named} <= {entry.id for file in PROFILES.glob("*.yaml") for entry in load_profile(file).known}


def test_reported_defects_are_current_and_stand_where_the_page_says(profiles: dict[str, Profile]) -> None:
    reports = read_reports()
    assert (ROOT / "docs" / "reported.md").read_text(encoding="utf-8") == reported_text(reports)
    cases = {entry.case.id: entry.case for entry in load_suite([ROOT / "cases"]).entries}
    for report in reports:
        assert report.cases or report.outside, report.about
        assert [case for case in report.cases if case not in cases] == []
        for backend, places in report.stands.items():
            for kind, _, name in (place.partition(":") for place in places):
                if kind == "policy":
                    assert name in profiles[backend].policies
                    assert report.outside or any(name in cases[case].policies for case in report.cases), report.about
                elif kind == "register":
                    (entry,) = [each for each in profiles[backend].known if each.id == name]
                    assert any(fnmatchcase(case, each) for case in report.cases for each in entry.cases), name
                else:
                    assert kind in ("bound", "normative")


def test_every_profile_declares_every_policy(profiles: dict[str, Profile]) -> None:
    """But for those of an operation that it does not offer."""
    missing = {
        name: sorted(
            policy.name
            for policy in POLICIES.values()
            if policy.name not in profile.policies
            and (not policy.operations or {*policy.operations} & {*profile.operations})
        )
        for name, profile in profiles.items()
    }
    assert missing == {name: [] for name in BACKENDS}


def test_the_semantics_matrix_has_every_policy_and_backend_and_no_open_difference(profiles: dict[str, Profile]) -> None:
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert {line[0].split(" ")[0] for line in table[1:]} == {*POLICIES}
    named = {name for line in table[1:] for name in re.findall(r"[a-z_:0-9-]+", line[2].replace("\\", ""))}
    unseen = {"loss_parallel"}  # not among the runs that the page is made of
    assert named >= {path.stem for path in (ROOT / "backends" / "profiles").glob("*.yaml")} - unseen
    differing = [name for line in table[1:] if "≠" in line[1] for name in line[2].split(", ")]
    assert {name.partition(":")[0] for name in differing} & {*BACKENDS} == set()
    body = text[text.index("| policy") :]
    for profile in profiles.values():
        for name, declared in profile.policies.items():
            if declared.value != "unsupported" and declared.documentation.startswith("http"):
                assert f"<{declared.documentation}>" in body, (profile.backend, name)
            assert escape(name) in body


def test_every_key_of_a_case_is_explained() -> None:
    schema = json.loads((ROOT / "cases" / "schema.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    assert [key for key in schema["$defs"]["Case"]["properties"] if f"`{key}`" not in text] == []


def test_prose_is_wrapped_at_a_hundred_characters() -> None:
    long = []
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        lines = [line for line in prose.splitlines() if len(line) > 100 and " " in line.strip("- ")]
        # A row of a table, a picture, and a command or a link alone in its line cannot be broken.
        whole = re.compile(r"\|.*|!\[.*|(- )?(`[^`]*`|\[[^]]*\]\([^)]*\))[.:,;]?")
        long += [f"{page.name}: {line}" for line in lines if not whole.fullmatch(line)]
    assert long == []


def test_the_operations_and_offers_of_an_adapter_are_those_that_the_code_has() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    shown: dict[str, Any] = {"Offers": Offers}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if block.startswith("def "):
            exec(f"from __future__ import annotations\n{block}", shown)
        elif block.startswith("Offers("):
            assert eval(block, {"Offers": Offers}) == Offers()
            assert re.findall(r"(\w+)=", block) == [each.name for each in fields(Offers)]
    for name in OPERATIONS:
        here, there = inspect.signature(shown[name]), inspect.signature(getattr(Backend, name))
        assert [(p.name, p.kind, p.default) for p in here.parameters.values()] == [
            (p.name, p.kind, p.default) for p in there.parameters.values()
        ]

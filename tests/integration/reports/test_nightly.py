"""The nightly by hand, two nights on a few cases; the workflows name only what there is."""

from __future__ import annotations

import configparser
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from conformance.backends.discovery import names
from conformance.model.backend import BackendRecord
from conformance.model.outcome import Outcome
from conformance.model.records import Footer, Header
from conformance.places import ROOT
from conformance.reports.nightly.command import cli, main
from conformance.reports.nightly.folder import Folder
from conformance.reports.nightly.frameworks import read_frameworks
from conformance.reports.nightly.steps import VERSIONS, reason_of_pip, run, write_issue
from conformance.results.store import Writer, read_run

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"^[\w-]+/[\w-]+@[0-9a-f]{40}$")

CASES = """\
theme: small
cases:
  - id: rows
    why: softmax by rows
    op: softmax
    logits: [[0.5, 0.5], [2.0, -1.0]]
    dtypes: [float32]
"""
WRONG = """\
from conformance.backends.adapters.numpy import Numpy

class Mine(Numpy):
    def softmax(self, logits, *, axis):
        return super().softmax(logits, axis=axis) * 2
"""


def run_of(folder: Path, verdict: str) -> None:
    """A run of one outcome; ``error`` is one whose backend did not start."""
    header = Header(suite="0.1.0", started=f"2026-01-0{1 + (verdict == 'fail')}T00:00:00+00:00")
    with Writer(folder, header) as writer:
        if verdict == "error":
            writer.describe(BackendRecord(name="b", error="it is not installed"))
            writer.finish(Footer(counts={}, seconds=1.0, complete=True))
            return
        writer.describe(BackendRecord(name="b"))
        writer.write(
            [Outcome(case="a", backend="b", dtype="float32", layout="contiguous", op="softmax", check="value",
                     verdict=verdict, theme="t", reason="recorded", detail="0 instead of 1")]
        )  # fmt: skip
        writer.finish(Footer(counts={verdict: 1}, seconds=1.0, complete=True))


@pytest.mark.slow
def test_two_nights(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.yaml").write_text(CASES, encoding="utf-8")
    (tmp_path / "mine.py").write_text(WRONG, encoding="utf-8")
    folder, summary = tmp_path / "nightly", tmp_path / "summary.md"
    options = ["--", "--cases", str(tmp_path / "small.yaml"), "-q"]
    assert main(["all", "--folder", str(folder), "-b", "numpy", "--summary", str(summary), *options]) == 0
    for made in ("runs/numpy/outcomes.jsonl", "site/summary.md", "site/badges/numpy.json", "exports/junit.xml",
                 "exports/outcomes.csv", "exports/outcomes.parquet"):  # fmt: skip
        assert (folder / made).is_file(), made
    assert "no night before" in capfd.readouterr().err
    code = main(["all", "--folder", str(folder), "-b", str(tmp_path / "mine.py"), "--annotate", *options])
    said = capfd.readouterr()
    assert code in (0, 1) and "::error title=fail%3A rows on mine" in said.out
    assert (folder / "previous" / "numpy").is_dir() and (folder / "runs" / "mine.py").is_dir()
    assert json.loads((folder / "site" / "badges" / "mine.json").read_text(encoding="utf-8"))["isError"] is True


def test_a_night_without_results_leaves_the_night_before(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    run_of(folder.previous / "b", "pass")
    (folder.runs / "b").mkdir(parents=True)
    (folder.runs / "b" / "outcomes.jsonl").write_text("", encoding="utf-8")
    assert main(["turn", "--folder", str(tmp_path)]) == 0
    assert folder.has_previous() and not folder.runs.exists()
    assert (folder.previous / "b" / "outcomes.jsonl").stat().st_size > 0


def test_what_is_missing_is_said_once_and_compared_when_it_is_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    def night(verdict: str | None) -> int:
        assert main(["turn", "--folder", str(tmp_path)]) == 0
        if verdict:
            run_of(folder.runs / "b", verdict)
        run_of(folder.runs / "other", "pass")
        return main(["diff", "--folder", str(tmp_path)])

    verdicts = ["pass", "error", "error", None, "fail", "fail", None, None]
    assert [night(each) for each in verdicts] == [0, 1, 0, 0, 1, 0, 1, 0]
    assert not folder.issue.exists() and "did not come back, as in the night before" in folder.difference.read_text()
    assert night("fail") == 0 and "new since then" in folder.difference.read_text()  # it was not expected any more


def test_an_issue_calls_nobody(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.difference.write_text("newly failing: @someone #12 " + "x" * 100_000, encoding="utf-8")
    write_issue(folder, 0)
    assert not folder.issue.exists()
    write_issue(folder, 1)
    text = folder.issue.read_text(encoding="utf-8")
    assert "@someone" not in text and "#12" not in text and "someone" in text and len(text) < 65_536


CONFLICT = """\
Looking in indexes: https://pypi.org/simple
ERROR: Cannot install tiny because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested tiny
    The user requested (constraint) tiny==9.9

To fix this you could try to:
1. loosen the range of package versions you've specified

ERROR: ResolutionImpossible: for help visit https://pip.pypa.io
"""


def test_why_something_could_not_be_installed() -> None:
    assert reason_of_pip(CONFLICT) == (
        "ERROR: Cannot install tiny because these package versions have conflicting dependencies. "
        "The user requested tiny; The user requested (constraint) tiny==9.9"
    )
    none = "ERROR: No matching distribution found for tiny==9.9"
    assert reason_of_pip(f"Looking\n{none}\n") == none and reason_of_pip("") == "no reason given"
    assert reason_of_pip("No module named pip\n") == "No module named pip"


def test_a_job_that_cannot_be_installed_says_so_in_each_of_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    assert main(["job", "--folder", "nightly", "nightly-jax-latest", "--", "--quiet"]) == 0
    for name in ("jax-latest", "jax-logsumexp-latest", "optax-latest"):
        (backend,) = read_run(Folder(tmp_path / "nightly").runs / name).backends.values()
        assert "could not be installed" in backend.error


def test_a_backend_is_asked_the_cases_that_are_listed_for_it_unless_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRONG, encoding="utf-8")
    for name in ("small", "other"):
        text = CASES.replace("id: rows", f"id: rows-of-{name}")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    folder, mine = Folder(tmp_path / "nightly"), str(tmp_path / "mine.py")
    listed = {mine: str(tmp_path / "small.yaml")}
    assert run(folder, [mine], ["--quiet"], "listed", listed) == 1
    assert run(folder, [mine], ["--quiet", "--cases", str(tmp_path / "other.yaml")], "named", listed) == 1
    for label, asked in {"listed": "rows-of-small", "named": "rows-of-other"}.items():
        assert {each.case for each in read_run(folder.runs / f"mine.py-{label}").outcomes} == {asked}


def test_wrong_usage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["everything"]) == 2
    for name in ("jax", "jax-next", "optax-latest"):
        assert main(["job", "--folder", str(tmp_path), name]) == 2
        assert f"no job '{name}'" in capfd.readouterr().err
    assert main(["export", "--folder", str(tmp_path)]) == 2
    assert "Traceback" not in capfd.readouterr().err
    shutil.rmtree(tmp_path)


def test_the_workflows_know_every_framework() -> None:
    """Each change runs every backend in its environment; those whose tests it does not run, the night tests."""
    ci, nightly = (yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"] for file in WORKFLOWS)
    rows = ci["conformance"]["strategy"]["matrix"]["include"]
    assert [row["framework"] for row in rows] == [*read_frameworks()]
    assert sorted(name for row in rows for name in row["environments"].split(",")) == sorted(names())
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    by_change = {each.strip() for each in tox["testenv"]["extras"].split(",")}
    lacking = [name for name, about in read_frameworks().items() if not {*about.extras} <= by_change]
    assert nightly["adapters"]["strategy"]["matrix"]["framework"] == lacking
    (tests,) = (name for name in tox if name.startswith("testenv:tests-{"))
    assert {*lacking} <= {*tests.removeprefix("testenv:tests-{").removesuffix("}").split(",")}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_name_what_there_is(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    environments = re.findall(r"^\[testenv:(.+)\]", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 60 and job["permissions"]
        matrix = job.get("strategy", {}).get("matrix", {})
        assert set(matrix.get("env", ())) <= set(environments)
        if "version" in matrix:
            jobs = (",".join(matrix[each]) for each in ("framework", "version"))
            assert "nightly-{{{}}}-{{{}}}".format(*jobs) in environments
            assert (matrix["framework"], matrix["version"]) == ([*read_frameworks()], [*VERSIONS])
        for each in matrix.get("include", ()):
            named = each["environments"].split(",") if "environments" in each else each["command"].split()[:1]
            assert {*named} <= {*environments}
        for step in job["steps"]:
            assert PINNED.match(step["uses"]) if "uses" in step else step["run"]
            for name in re.findall(r"python -m conformance\.reports\.nightly (\w+)", step.get("run", "")):
                assert name in cli.commands
            for name in re.findall(r"tox run -e ([\w-]+)$", step.get("run", "")):
                assert name in environments

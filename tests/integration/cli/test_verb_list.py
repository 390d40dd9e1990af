"""``conformance list`` lists what there is, and loads nothing for it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import ROOT, Run, write

NOTES = """\
flags:
  double-softmax: {bug_class: softmax twice, effect: plausible and wrong}
  idle: {bug_class: nothing, effect: nothing}
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    write(tmp_path / "cases" / "notes.yaml", NOTES)
    write(
        tmp_path / "cases" / "more" / "other.yaml",
        "theme: other\ncases:\n- {id: last, why: w, op: log_softmax, logits: [1]}\n",
    )
    return write(tmp_path / "cases" / "small.yaml").parent


def test_cases_as_a_table(conformance: Run, cases: Path) -> None:
    ran = conformance("list", "--cases", cases)
    assert (ran.code, ran.err) == (0, "")
    head, *rows, empty, count = ran.out.splitlines()
    assert head.split() == ["case", "theme", "op", "tier", "memory", "gib", "flags"]
    assert (empty, count) == ("", "3 cases")
    assert [row.split() for row in rows] == [
        ["last", "other", "log_softmax", "default"],
        ["plain", "small", "cross_entropy", "default", "double-softmax"],
        ["rows", "small", "softmax", "default"],
    ]
    assert len({row.index(row.split()[1]) for row in rows}) == 1  # columns start below each other


def test_cases_as_json(conformance: Run, cases: Path) -> None:
    (case,) = conformance("list", "cases", "--cases", cases / "small.yaml", "-k", "double", "--format", "json").json
    assert case["case"] == "plain" and case["dtypes"] == ["float64", "float32"] and case["flags"] == ["double-softmax"]
    assert case["file"].endswith("small.yaml") and case["why"] == "logits need not sum to one"


def test_nothing_selected_is_not_an_error(conformance: Run, cases: Path) -> None:
    assert conformance("list", "--cases", cases, "-k", "nowhere") == (0, "0 cases\n", "")
    assert conformance("list", "--cases", cases, "-k", "nowhere", "--format", "json").json == []


def test_flags_and_themes_are_counted(conformance: Run, cases: Path) -> None:
    flags = conformance("list", "flags", "--cases", cases, "--format", "json").json
    assert [(each["flag"], each["cases"], each["bug_class"]) for each in flags] == [
        ("double-softmax", 1, "softmax twice"),
        ("idle", 0, "nothing"),
    ]
    themes = conformance("list", "themes", "--cases", cases, "--format", "json").json
    assert themes == [
        {"theme": "other", "cases": 1, "ops": ["log_softmax"]},
        {"theme": "small", "cases": 2, "ops": ["cross_entropy", "softmax"]},
    ]
    assert [
        each["flag"] for each in conformance("list", "flags", "--cases", cases, "-k", "plain", "--format", "json").json
    ] == ["double-softmax"]


def test_verdicts(conformance: Run) -> None:
    rows = {each["verdict"]: each["fails_a_run"] for each in conformance("list", "verdicts", "--format", "json").json}
    assert rows["fail"] and rows["crash"] and rows["stale"] and not rows["pass"] and not rows["unsupported"]
    assert len(rows) == 11


def test_backends_and_how_to_install_a_missing_one(conformance: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, package=None: None if name == "torch" else known(name, package)
    )
    rows = {each["backend"]: each for each in conformance("list", "backends", "--format", "json").json}
    assert rows["numpy"]["state"] == "installed" and rows["numpy"]["version"][0].isdigit()
    assert rows["numpy"]["devices"] == ["cpu"] and rows["numpy"]["modes"] == ["eager"]
    assert (rows["torch"]["state"], rows["torch"]["note"]) == ("missing", "pip install torch")
    assert "pip install torch" in conformance("list", "backends").out


def test_the_versions_of_backends_are_found_by_their_distributions_names(
    conformance: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by what every distribution holds, which is to read a hundred lists of files."""
    asked: list[str] = []
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: asked.append("all") or {})
    rows = conformance("list", "backends", "--format", "json").json
    assert {each["version"] for each in rows} - {""} and "unknown" not in {each["version"] for each in rows}
    assert not asked


def test_policies_with_what_each_backend_declares(conformance: Run) -> None:
    rows = conformance("list", "policies", "--format", "json").json
    (axis,) = [each for each in rows if each["policy"] == "default-axis" and each["backend"] == "torch"]
    assert axis["values"][0] == "1" and "implicit" in axis["values"]
    assert axis["declared"]["log_softmax"] == "implicit" and axis["documentation"].startswith("https://")
    denominators = {each["backend"]: each["declared"] for each in rows if each["policy"] == "mean-denominator"}
    assert denominators["numpy"] == "sum-of-weights" and len(denominators) >= 5
    table = conformance("list", "policies").out
    assert "sum-of-weights, valid-count, all-count" in table and "log_softmax: implicit" in table


@pytest.mark.parametrize("topic", ["policies", "backends", "flags"])
def test_a_table_fits_a_terminal(topic: str) -> None:
    command = [sys.executable, "-m", "conformance", "list", topic]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    terminal, far = pty.openpty()
    with subprocess.Popen(command, env=environment, stdout=far, cwd=ROOT) as listing:
        os.close(far)
        shown = bytearray()
        with contextlib.suppress(OSError):  # that the other end is closed is an error of a terminal
            while piece := os.read(terminal, 1 << 16):
                shown += piece
    os.close(terminal)
    assert listing.returncode == 0
    lines = shown.decode().splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 100


@pytest.mark.parametrize("topic", ["backends", "policies", "verdicts"])
def test_a_selection_of_cases_where_none_belongs(conformance: Run, topic: str) -> None:
    ran = conformance("list", topic, "-k", "softmax")
    assert (
        ran.code == 2
        and ran.out == ""
        and f"{topic} do not depend on cases" in ran.err
        and "hint: leave out" in ran.err
    )


def test_an_unknown_topic_and_a_bad_expression(conformance: Run, cases: Path) -> None:
    ran = conformance("list", "frameworks")
    assert ran.code == 2 and "'cases', 'backends'" in ran.err
    assert conformance("list", "--cases", cases, "-k", "a and").code == 2


HEAVY = ("numpy", "flint", "rich", "torch", "jax", "tensorflow", "ml_dtypes", "pandas", "scipy")
#: What half of the standard library comes with: a listing that needs none of it starts a third faster.
BESIDE = ("email", "zipfile", "shutil", "csv", "socket")


def loaded_by(topic: str, folder: Path, *more: str) -> set[str]:
    """Which heavy modules are loaded when ``list`` has printed a topic, in a process of its own."""
    program = (
        f"import sys; from conformance.cli import main; code = main({['list', topic, *more]!r}); "
        f"print(*[name for name in {HEAVY + BESIDE!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize("topic", ["cases", "flags", "themes"])
def test_listing_cases_loads_nothing_heavy(cases: Path, topic: str) -> None:
    assert loaded_by(topic, cases, "--cases", str(cases)) == set()


@pytest.mark.parametrize("topic", ["policies", "verdicts"])
def test_listing_policies_and_verdicts_loads_nothing_heavy(tmp_path: Path, topic: str) -> None:
    assert loaded_by(topic, tmp_path) == set()


def test_listing_backends_imports_no_framework(tmp_path: Path) -> None:
    assert loaded_by("backends", tmp_path) <= {"numpy", *BESIDE}  # of which the adapters' own files make use

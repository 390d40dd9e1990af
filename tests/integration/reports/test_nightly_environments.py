"""Nights in environments that are really built: one cannot be installed, one crashes at import, one newly fails."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.environments import CRASHING, RIGHT, WRONG, Environment, wheel

ADAPTER = """\
import numpy as np
import tinyframe

from conformance.backends.adapters.numpy import Numpy


class Tiny(Numpy):
    framework = "tinyframe"

    def versions(self):
        return {"tinyframe": "by its distribution"}

    def softmax(self, logits, *, axis, where=None):
        powers = np.exp(logits - logits.max(axis, keepdims=True))
        return tinyframe.softmax(powers, powers.sum(axis, keepdims=True))
"""
CASES = """\
theme: small
cases:
  - {id: rows, why: softmax by rows, op: softmax, logits: [[0.5, 0.5], [2.0, -1.0]], dtypes: [float32]}
"""
RELEASED = """\
tiny:
  backends: [tiny.py]
  released: [[tinyframe==1.0], [tinyframe==1.1], [tinyframe==1.2]]
"""
#: As the workflow installs them: the version that is pinned, the latest, and the coming one.
VERSIONS = {"pinned": ["tinyframe==1.0"], "latest": ["--upgrade", "tinyframe"], "pre-release": ["--pre", "tinyframe"]}


def night(folder: Path, name: str, *labels: str) -> int:
    """Install and run each version in its own environment, and compare, as the workflow does; the last one's code."""
    for label in labels or VERSIONS:
        made = Environment(folder / name / label)
        about = ("-b", "tiny.py", "--label", label)
        if made.nightly("install", *about, "--", "--find-links", "index", *VERSIONS[label], folder=folder) == 0:
            assert made.nightly("run", *about, "--", "--cases", "small.yaml", "--quiet", folder=folder) <= 1
    return made.nightly("diff", folder=folder)


def part(root: Path, label: str) -> str:
    """What the drafted issue says of a run."""
    return (
        (root / "issue.md").read_text(encoding="utf-8").partition(f"## tiny.py-{label}\n")[2].partition("\n## tiny")[0]
    )


# Not by find_spec: setuptools takes a search for pip as pip itself, and then gives PyTorch's compiler no distutils.
@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.skipif("pip" not in packages_distributions(), reason="this environment has no pip")
def test_three_nights(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(ADAPTER, encoding="utf-8")
    (tmp_path / "small.yaml").write_text(CASES, encoding="utf-8")
    root, index, made = tmp_path / "results" / "nightly", tmp_path / "index", Environment(tmp_path / "merging")
    for version in ("1.0", "1.1", "2.0rc1"):
        wheel(index, version, RIGHT)
    assert night(tmp_path, "first") == 0 and not (root / "issue.md").exists()

    wheel(index, "1.0", RIGHT).unlink()
    wheel(index, "1.2", WRONG)
    wheel(index, "2.0rc2", CRASHING)
    assert made.nightly("turn", folder=tmp_path) == 0
    assert night(tmp_path, "second") == 1
    assert made.nightly("export", "--summary", "summary.md", "--annotate", folder=tmp_path) == 0
    assert made.nightly("history", folder=tmp_path) == 0
    assert "could not be installed" in part(root, "pinned") and "tinyframe==1.0" in part(root, "pinned")
    assert "| rows |" in part(root, "latest") and "| pass | fail |" in part(root, "latest")
    assert "died while it was starting" in part(root, "pre-release") and "SIGSEGV" in part(root, "pre-release")
    page = (root / "site" / "index.html").read_text(encoding="utf-8")
    assert "tiny 1.2</b>" in page and "does not conform" in page
    assert "tiny (tiny.py-pinned) did not run" in page and "tiny (tiny.py-pre-release) did not run" in page
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "**Not conforming**: tiny 1.2." in summary and "could not be installed" in summary
    badge = json.loads((root / "site" / "badges" / "tiny.json").read_text(encoding="utf-8"))
    assert badge["isError"] is True and badge["label"].endswith("tiny 1.2")
    assert (root / "exports" / "junit.xml").read_text(encoding="utf-8").count("the backend did not run") == 2

    wheel(index, "1.0", WRONG)
    assert made.nightly("turn", folder=tmp_path) == 0
    assert night(tmp_path, "third", "pinned") == 1
    assert "Compared with an earlier night" in part(root, "pinned") and "| pass | fail |" in part(root, "pinned")


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.skipif("pip" not in packages_distributions(), reason="this environment has no pip")
def test_released_versions_beside_each_other_which_are_run_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.py").write_text(ADAPTER, encoding="utf-8")
    (tmp_path / "small.yaml").write_text(CASES, encoding="utf-8")
    for version, text in {"1.0": RIGHT, "1.1": WRONG, "1.2": RIGHT}.items():
        wheel(tmp_path / "index", version, text)
    (tmp_path / "listed.yaml").write_text(RELEASED, encoding="utf-8")
    merging, root = Environment(tmp_path / "merging"), tmp_path / "results" / "nightly"
    pinned = {"PIP_CONSTRAINT": str(tmp_path / "constraints.txt")}  # as tox sets it
    (tmp_path / "constraints.txt").write_text("tinyframe==1.0", encoding="utf-8")
    more = {**pinned, "PIP_FIND_LINKS": str(tmp_path / "index")}
    arguments = ("--listed", "listed.yaml", "--", "--cases", "small.yaml")
    assert merging.nightly("versions", *arguments, folder=tmp_path, more=more) == 1
    page = (root / "site" / "versions.html").read_text(encoding="utf-8")
    rows = page.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr")[1:]
    assert len(rows) == 2 and "probability-sum" in rows[0] and "value" in rows[1]
    for row in rows:
        assert row.count("right") == 2 and row.count("shows") == 1 and row.count("<td>1.1") == 2 and "<td>1.2" in row
    assert [*(root / "environments").iterdir()] == []

    shutil.rmtree(root / "runs" / "tiny-1.1")
    capsys.readouterr()
    assert merging.nightly("versions", *arguments, folder=tmp_path, more=more) == 1
    said = capsys.readouterr().out
    assert "tiny-1.0, 1 of 3: is done" in said and "tiny-1.1, 2 of 3\n" in said and "tiny-1.2, 3 of 3: is done" in said
    narrowed = ("-b", "tiny-1.2", *arguments, "--dtype", "float32")
    assert merging.nightly("versions", *narrowed, folder=tmp_path, more=more) == 0
    assert "tiny-1.2, 1 of 1\n" in capsys.readouterr().out  # it was asked for something else


@pytest.mark.skipif("pip" not in packages_distributions(), reason="this environment has no pip")
def test_a_version_that_cannot_be_installed_is_the_exit_code_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "listed.yaml").write_text(RELEASED.replace("1.0", "9.9"), encoding="utf-8")
    arguments = ("versions", "-b", "tiny-9.9", "--listed", "listed.yaml")
    merging = Environment(tmp_path / "merging")
    environments = tmp_path / "results" / "nightly" / "environments"
    for _ in range(2):
        assert merging.nightly(*arguments, folder=tmp_path) == 1
        assert [*environments.iterdir()] == []
        (environments / "tiny-9.9" / "bin").mkdir(parents=True)  # as a process that was killed leaves it
        (environments / "tiny-9.9" / "bin" / "python").write_text("half installed", encoding="utf-8")

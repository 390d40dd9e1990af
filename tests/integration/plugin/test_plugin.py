"""The pytest plugin, in pytest processes of its own, read back from their JUnit XML."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from conformance.places import ROOT

pytestmark = pytest.mark.slow

CASES = """\
theme: small-theme
cases:
  - id: plain
    why: logits need not sum to one
    flags: [double-softmax]
    op: cross_entropy
    logits: [[1.2, 2.4, 3.6], [0.5, -1.0, 2.0]]
    targets: [1, 0]
    dtypes: [float64, float32]
  - id: rows
    why: softmax by rows
    op: softmax
    logits: [[0.5, 0.5], [2.0, -1.0]]
    dtypes: [float32, float16]
  - id: weighted
    why: a weight a class
    op: cross_entropy
    logits: [[0.5, 0.5], [2.0, -1.0]]
    targets: [1, 0]
    weight: [1.0, 3.0]
    dtypes: [float32]
"""

#: A third party's adapter, for which each operation ends in another way.
MINE = """\
import os, time
from conformance.backends.contract import Unsupported
from conformance.backends.adapters.numpy import Numpy

class Mine(Numpy):
    def softmax(self, logits, *, axis):
        if logits.dtype == "float16":
            os._exit(7)
        return super().softmax(logits, axis=axis) * 2

    def cross_entropy(self, logits, targets, *, weight=None, **options):
        if weight is not None:
            raise Unsupported("no weights here")
        return super().cross_entropy(logits, targets, weight=weight, **options)
"""


class Ran(NamedTuple):
    code: int
    out: str
    cases: dict[str, ElementTree.Element]

    def ended(self, name: str) -> str:
        """How a test ended: passed, failure, error or skipped."""
        return next((each.tag for each in self.cases[name] if each.tag != "properties"), "passed")

    def said(self, name: str) -> str:
        return "".join(f"{each.get('message', '')}{each.text or ''}" for each in self.cases[name])

    def properties(self, name: str) -> dict[str, str]:
        return {each.get("name", ""): each.get("value", "") for each in self.cases[name].iter("property")}


#: No other plugin that is installed, whose imports take a third of a short run.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p conformance.plugin"}


def ran(folder: Path, *arguments: object, beside: bool = False) -> Ran:
    """pytest with the plugin, in ``folder``; ``beside`` all others that are installed, as pytest finds them."""
    plugins = {"PYTEST_ADDOPTS": ""} if beside else ALONE
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml", "--strict-markers",
         *map(str, arguments)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **plugins},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    report = folder / "junit.xml"
    found = ElementTree.parse(report).iter("testcase") if report.exists() else []
    return Ran(done.returncode, done.stdout + done.stderr, {each.get("name", ""): each for each in found})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "small.yaml").write_text(CASES, encoding="utf-8")
    (tmp_path / "cases" / "other.yaml").write_text("jobs:\n  cases: [1]\n", encoding="utf-8")
    return tmp_path


def test_cases_are_tests_by_dtype(folder: Path) -> None:
    done = ran(folder, "--conformance-backend", "numpy", "cases", beside=True)
    assert done.code == 0, done.out
    assert [*done.cases] == [
        "plain[numpy-float64]", "plain[numpy-float32]", "rows[numpy-float32]", "rows[numpy-float16]",
        "weighted[numpy-float32]",
    ]  # fmt: skip
    facts = done.properties("plain[numpy-float32]")
    assert facts["class"] in "AB" and float(facts["ulp"]) < 4 and int(facts["pass"]) > 6
    assert facts["backend"].startswith("numpy ")


def test_how_each_verdict_ends(folder: Path) -> None:
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    done = ran(folder, "--conformance-backend", "mine.py", "cases")
    assert done.code == 1 and "Traceback" not in done.out
    ends = {name: done.ended(name) for name in done.cases}
    assert ends == {
        "plain[mine-float64]": "passed", "plain[mine-float32]": "passed", "rows[mine-float32]": "failure",
        "rows[mine-float16]": "error", "weighted[mine-float32]": "skipped",
    }  # fmt: skip
    assert "unsupported: no weights here" in done.said("weighted[mine-float32]")
    assert "CRASH  mine" in done.said("rows[mine-float16]")
    said = done.said("rows[mine-float32]")
    for words in ("small.yaml:10: softmax by rows", "observed     ", "exact        0.95257", "ulp          ",
                  "class        F", "error/bound  ", "source       mine.py:6",
                  "conformance explain rows -b mine.py --dtype float32 --cases cases/small.yaml"):  # fmt: skip
        assert words in said, said


@pytest.mark.framework
def test_known_defects_are_expected_failures_and_deviations_pass(folder: Path) -> None:
    text = CASES.split("  - id: rows")[0].replace("id: plain", "id: two-equal-logits-at-1e8")
    (folder / "cases" / "small.yaml").write_text(
        text.replace("[[1.2, 2.4, 3.6], [0.5, -1.0, 2.0]]", "[[1e8, 1e8], [1e8, 1e8]]")
        + "  - id: nothing-counts\n    why: w\n    op: cross_entropy\n    logits: [[1.0, 2.0]]\n    targets: [0]\n"
        "    reductions: [default]\n    dtypes: [float32]\n",
        encoding="utf-8",
    )
    done = ran(folder, "--conformance-backend", "optax", "--conformance-dtype", "float32", "cases")
    assert done.code == 0, done.out
    assert done.cases["two-equal-logits-at-1e8[optax-float32]"].find("skipped").get("type") == "pytest.xfail"  # type: ignore[union-attr]
    assert "normaliser-minus-logit" in done.said("two-equal-logits-at-1e8[optax-float32]")
    assert done.ended("nothing-counts[optax-float32]") == "passed"
    assert "deviation-policy" in done.properties("nothing-counts[optax-float32]")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("-k", "rows and float32 or nothing"), ["rows[numpy-float32]"]),
        (
            (
                "-m",
                "small-theme and (softmax or double-softmax) and not cross_entropy",
                "--conformance-dtype",
                "float16",
            ),
            ["rows[numpy-float16]"],
        ),
    ],
)
def test_selection(folder: Path, arguments: tuple[str, ...], names: list[str]) -> None:
    done = ran(folder, "--conformance-backend", "numpy", *arguments, "cases")
    assert done.code == 0 and [*done.cases] == names, done.out


def test_on_several_workers_beside_other_tests(folder: Path) -> None:
    (folder / "test_other.py").write_text("def test_other():\n    pass\n", encoding="utf-8")
    done = ran(folder, "--conformance-backend", "numpy", "-n", "2", beside=True)
    assert done.code == 0 and len(done.cases) == 6 and {done.ended(name) for name in done.cases} == {"passed"}


def test_a_bad_file_is_a_collection_error(folder: Path) -> None:
    (folder / "cases" / "bad.yaml").write_text(CASES.replace("op: softmax", "opp: softmax"), encoding="utf-8")
    (folder / "cases" / "twice.yaml").write_text(CASES, encoding="utf-8")
    done = ran(folder, "--conformance-backend", "numpy", "cases", "--continue-on-collection-errors")
    assert done.code == 1 and "Traceback" not in done.out
    assert "cases/bad.yaml:12: cases[1].opp: unknown key 'opp'\n  hint: did you mean 'op'?" in done.out
    assert "twice.yaml:3: cases[0].id: id 'plain' is taken" in done.out
    assert done.ended("plain[numpy-float32]") == "passed"


def test_a_file_that_is_json_on_one_line_is_collected(folder: Path) -> None:
    case = '{"id": "flow", "why": "w", "op": "softmax", "logits": [[0.5, 0.5]], "dtypes": ["float32"]}'
    (folder / "cases" / "flow.yaml").write_text('{"theme": "json", "cases": [' + case + "]}", encoding="utf-8")
    (folder / "cases" / "other.yaml").write_text('{"inner": {"cases": [1]}}', encoding="utf-8")
    (folder / "cases" / "template.yaml").write_text("{{ cases: }}", encoding="utf-8")
    done = ran(folder, "--conformance-backend", "numpy", "cases", "-k", "flow")
    assert done.code == 0 and done.cases.keys() == {"flow[numpy-float32]"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--conformance-backend", "numpy", "--conformance-timeout", "nan"), "--conformance-timeout is nan"),
        (("--conformance-backend", "numpy", "--conformance-timeout", "inf"), "--conformance-timeout is inf"),
        (("--conformance-backend", "nunpy"), "did you mean numpy?"),
        (("--conformance-backend", "numpy", "--conformance-timeout", "-1"), "--conformance-timeout is -1"),
    ],
)
def test_wrong_usage(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    done = ran(folder, *arguments, "cases")
    assert done.code == 4 and words in done.out and "hint: " in done.out and "Traceback" not in done.out


def test_a_backend_that_cannot_be_started(folder: Path) -> None:
    (folder / "broken.py").write_text("raise RuntimeError('no such device')\n", encoding="utf-8")
    done = ran(folder, "--conformance-backend", "broken.py", "cases", "-k", "rows")
    assert done.code == 1 and "Traceback" not in done.out
    assert all(done.ended(name) == "error" and "no such device" in done.said(name) for name in done.cases)


def test_without_a_backend_nothing_is_collected_or_imported(folder: Path) -> None:
    (folder / "test_other.py").write_text(
        "import sys\n\n"
        "def test_other(request):\n"
        "    assert request.config.pluginmanager.has_plugin('conformance')\n"
        "    heavy = ('conformance.cases', 'conformance.run', 'backends', 'numpy', 'msgspec', 'flint')\n"
        "    assert not [name for name in sys.modules if name.startswith(heavy)]\n",
        encoding="utf-8",
    )
    done = ran(folder, beside=True)
    assert done.code == 0 and [*done.cases] == ["test_other"], done.out


def test_hostile_messages_stay_text(folder: Path) -> None:
    (folder / "mine.py").write_text(
        MINE.replace(
            'raise Unsupported("no weights here")', 'raise ValueError("\\x1b[31m </failure>\\n::error::x\\x00")'
        ),
        encoding="utf-8",
    )
    done = ran(folder, "--conformance-backend", "mine.py", "cases", "-k", "weighted")
    assert done.code == 1 and "\x1b[31m" not in done.out and "\x00" not in done.out
    assert "\\x1b[31m </failure>" in done.said("weighted[mine-float32]") and "\n::error" not in done.out

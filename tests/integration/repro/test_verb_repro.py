"""``conformance repro``: scripts of wrong adapters, run without the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.places import CASES as CORPUS
from tests.support.cli import Run, write
from tests.support.reproducers import run_bare
from tests.support.softmax import CASES, softmax_files

RIGHT = "return result"
DENSE = """logits = np.lib.stride_tricks.as_strided(logits, strides=(12, 4))
return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)"""
FORWARD = f"""{RIGHT}
def jvp(self, call, logits, tangent):
    value = self.evaluate(call, logits)
    product = value * tangent
    return value, (product - value * product.sum(1, keepdims=True)) * 2"""
SECOND = f"""{RIGHT}
def hvp(self, call, logits, upstream, direction):
    return upstream * direction"""
DIES_ONCE = """calls.append(1)
if len(calls) == 2 and not os.path.exists({mark!r}):
    open({mark!r}, "x").close()
    os._exit(11)
return result"""
MAPPED = f"""{RIGHT}
def vmap(self, call, logits, upstream):
    return self.evaluate(call, logits) * 2, upstream.copy()"""


@pytest.mark.parametrize(
    ("case", "check", "body", "printed"),
    [
        ("plain", "value", "return (result * 2).astype(logits.dtype)", "exact:    0.79"),
        ("plain", "gradient", "return result.astype(logits.dtype)", "observed:"),
        ("plain", "probability-sum", "return result * 2", "exact:    1"),
        ("plain", "value", "return result.astype(np.float64)", "expected: float32"),
        ("plain", "value", "return result[0]", "expected: (2, 3)"),
        ("plain", "unmodified", "logits[0, 0] = 7\nreturn result", "logits unmodified: False"),
        ("only-one", "unmodified", "return logits", "logits unmodified: False"),
        ("apart", "value", DENSE, "observed: nan"),
        ("plain", "repeatable", "calls.append(1)\nreturn result * len(calls)", "the same bits: False"),
        ("plain", "shift", "return result + (logits.max() > 10) * np.float32(0.01)", "instead of"),
        ("plain", "value", "raise ArithmeticError('no | <b> \\x1b[31m luck')", "ArithmeticError: no | <b>"),
        ("differentiated", "forward-mode", FORWARD, "exact:    "),
        ("differentiated", "forward-mode", FORWARD.replace("* 2", "* calls[0]"), "IndexError: list index"),
        ("differentiated", "second-order", SECOND, "exact:    "),
        ("differentiated", "vectorised-map", MAPPED, "observed: -1.125"),
        ("nothing-is-possible", "policy", "return np.nan_to_num(result, nan=0.5)", "observed: [[0.5 0.5 0.5]]"),
        ("axis-of-none", "error", "return result", "expected: an error"),
        ("strided", "value", "return result * (1 + 1e-9 * (not logits.flags.c_contiguous))", "ulp of float64"),
    ],
)
def test_a_wrong_adapter_is_shown_without_the_project(
    conformance: Run, tmp_path: Path, case: str, check: str, body: str, printed: str
) -> None:
    cases, mine = softmax_files(tmp_path, body)
    ran = conformance("repro", case, "-b", mine, "--cases", cases, "--check", check)
    right = f"{check} is a pass here: the script shows what is right\n"
    declared = f"{check} is a deviation here: the script shows what the profile declares\n"
    assert (ran.code, ran.err) in ((0, ""), (0, right), (0, declared))
    out, error = run_bare(ran.out)
    assert printed in out + error, f"{ran.out}\n{out}\n{error}"


DERIVED = """\
from conformance.backends.adapters.torch import Torch


class Mine(Torch):
    def target_gradient(self, call, logits, upstream):
        return super().target_gradient(call, logits, upstream) * 2

    def hvp(self, call, logits, upstream, direction):
        return super().hvp(call, logits, upstream, direction) * 2
"""
BY_TARGETS = """
theme: derived
cases:
  - id: derived
    why: a parent's method
    op: cross_entropy
    logits: [[1, 2, 0.5], [0, -1, 3]]
    targets: [[0.5, 0.25, 0.25], [0, 1, 0]]
    transforms: [second-order, target-gradient]
    dtypes: [float32]
"""


@pytest.mark.framework
@pytest.mark.parametrize("check", ["second-order", pytest.param("target-gradient", marks=pytest.mark.nightly)])
def test_a_kernel_that_leans_on_its_parent_runs_through_the_suite(conformance: Run, tmp_path: Path, check: str) -> None:
    pytest.importorskip("torch")
    cases, mine = write(tmp_path / "cases.yaml", BY_TARGETS), write(tmp_path / "mine.py", DERIVED)
    ran = conformance("repro", "derived", "-b", mine, "--cases", cases, "--check", check)
    assert (ran.code, ran.err) == (0, "")
    assert DERIVED.strip() in ran.out and "create(" in ran.out
    out, error = run_bare(ran.out)
    observed, exact = (float(line.split(":")[1]) for line in out.splitlines() if line[:5] in ("obser", "exact"))
    assert observed == pytest.approx(2 * exact, rel=1e-5), error


@pytest.mark.parametrize(
    ("body", "version", "needed"),
    [
        ("return super().softmax(logits, axis=axis) * 2", r"conformance \S+ numpy \S+\n", True),
        ("return (result * 2).astype(logits.dtype)", r"numpy \S+\n", False),
    ],
)
def test_what_a_script_needs_is_said_where_it_is_shown(
    conformance: Run, tmp_path: Path, body: str, version: str, needed: bool
) -> None:
    cases, mine = softmax_files(tmp_path, body)
    options = ("repro", "plain", "-b", mine, "--cases", cases)
    out, error = run_bare(conformance(*options).out)
    assert re.match(version, out), out + error
    assert ("must be installed" in conformance(*options, "--issue").out) == needed


KERNEL = """\
import math

import numpy as np

from conformance.backends.adapters.numpy import Numpy

SCALE = 2.0


def _scaled(x: np.ndarray) -> np.ndarray:
    return x * SCALE


class Mine(Numpy):
    @property
    def unused(self):
        return math.pi

    def softmax(self, logits, *, axis):
        # of the whole array, and not along the axis
        powers = np.exp(_scaled(logits))
        return (powers / powers.sum()).astype(logits.dtype)
"""


def test_a_kernel_stands_in_the_script_as_a_function_with_what_it_uses(conformance: Run, tmp_path: Path) -> None:
    text = KERNEL.replace("    @property\n    def unused(self):\n        return math.pi\n\n", "")
    cases, mine = write(tmp_path / "cases.yaml", CASES), write(tmp_path / "mine.py", text)
    ran = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert "conformance" not in ran.out and "math" not in ran.out and "self" not in ran.out
    for part in ("def softmax(logits, *, axis):", "    # of the whole array", "SCALE = 2.0", "def _scaled(x"):
        assert part in ran.out, part
    assert len(ran.out.splitlines()) < 32
    out, error = run_bare(ran.out)
    assert "observed:" in out and "ulp of float32" in out, error


TAKES_ANY = """\
import numpy as np

from conformance.backends.adapters.numpy import Numpy


class Mine(Numpy):
    def cross_entropy(self, logits, targets, *, axis, reduction, label_smoothing, **options):
        return (1 - label_smoothing) * np.log(np.exp(logits).sum(1)) - logits[:, 0]
"""


def test_an_option_that_is_not_a_number_is_written_as_one(conformance: Run, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.py", TAKES_ANY)
    cases = CORPUS / "invalid" / "arguments.yaml"
    ran = conformance("repro", "smoothing-that-is-not-a-number", "-b", mine, "--cases", cases, "--dtype", "float32")
    assert "conformance" not in ran.out
    out, error = run_bare(ran.out)
    assert "observed: [nan nan]\nexpected: an error\n" in out and not error, ran.out


def test_a_kernel_may_have_the_name_of_the_class_that_it_derives_from(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, "return result * 2")
    text = mine.read_text().replace("import Numpy", "import Numpy as Theirs").replace("Mine(Numpy)", "Numpy(Theirs)")
    mine.write_text(text)
    ran = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert "def softmax(logits, *, axis):" in ran.out, ran.out


def test_a_script_prints_no_version_of_the_standard_library(conformance: Run, tmp_path: Path) -> None:
    text = KERNEL.replace("import math", "import os").replace("math.pi", "os.sep")
    text = text.replace("powers = np.exp", "assert os.sep\n        powers = np.exp")
    cases, mine = write(tmp_path / "cases.yaml", CASES), write(tmp_path / "mine.py", text)
    ran = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert "import os\n" in ran.out and "os.__version__" not in ran.out
    out, error = run_bare(ran.out)
    assert "observed:" in out, error


@pytest.mark.parametrize(
    "body",
    [
        "return super().softmax(logits, axis=axis) * 2",
        "scale = self.scale if hasattr(self, 'scale') else 2\nreturn (result * scale).astype(logits.dtype)",
        "from conformance.backends.contract import given\nreturn result * given(scale=2)['scale']",
    ],
)
def test_a_kernel_that_uses_the_adapter_or_the_suite_is_embedded_whole(
    conformance: Run, tmp_path: Path, body: str
) -> None:
    cases, mine = softmax_files(tmp_path, body)
    ran = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert mine.read_text().strip() in ran.out.replace("\n    Path", "\nPath") and "create(" in ran.out
    assert "TemporaryDirectory" in ran.out and max(map(len, ran.out.splitlines())) <= 120
    out, error = run_bare(ran.out)
    assert "observed:" in out and "ulp of float32" in out, error


LIBRARY = """\
import numpy as np

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.runtimes.numpy import NumpyRuntime


class Sharp(Adapter):
    framework = "numpy"
    library = "sharp"
    profile = ""
    runs_on = NumpyRuntime
    offers = Offers(operations={"softmax": "native"}, gradient="unsupported")

    def softmax(self, logits, *, axis):
        powers = np.exp(logits)
        return powers / powers.sum()
"""


def test_a_library_on_a_runtime_of_the_suite_uses_the_template_of_its_framework(
    conformance: Run, tmp_path: Path
) -> None:
    cases, sharp = write(tmp_path / "cases.yaml", CASES), write(tmp_path / "sharp.py", LIBRARY)
    ran = conformance("repro", "plain", "-b", sharp, "--cases", cases)
    assert "def softmax(logits, *, axis):" in ran.out and "conformance" not in ran.out
    assert "observed:" in run_bare(ran.out)[0]


@pytest.mark.framework
def test_an_operation_that_a_kernel_leaves_as_it_is_uses_the_template(conformance: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    text = "from conformance.backends.adapters.torch import Torch\n\n\nclass Mine(Torch):\n"
    text += "    def log_softmax(self, x, *, axis):\n        return x\n"
    cases, mine = write(tmp_path / "cases.yaml", CASES), write(tmp_path / "mine.py", text)
    ran = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert "value = F.softmax(logits, dim=1)" in ran.out and "class Mine" not in ran.out


@pytest.mark.parametrize(
    ("framework", "normaliser", "called"),
    [
        ("numpy", "numpy.logaddexp.reduce(x, axis, keepdims=True)", "-np.take_along_axis("),
        pytest.param("torch", "x.logsumexp(axis, keepdim=True)", "F.nll_loss(", marks=pytest.mark.framework),
    ],
)
def test_a_part_of_a_composed_loss_stands_in_the_script_beside_the_frameworks_own(
    conformance: Run, tmp_path: Path, framework: str, normaliser: str, called: str
) -> None:
    pytest.importorskip(framework)
    name = framework.capitalize()
    text = (
        f"import {framework}\nfrom conformance.backends.adapters.{framework} import {name}\n\n\nclass Mine({name}):\n"
    )
    text += f"    def log_softmax(self, x, *, axis):\n        return x - {normaliser}\n"
    case = "  - {id: far, why: w, op: cross_entropy, logits: [[1.0e8, 1.0e8]], targets: [1], dtypes: [float32]}\n"
    cases, mine = write(tmp_path / "cases.yaml", f"theme: far\ncases:\n{case}"), write(tmp_path / "mine.py", text)
    ran = conformance("repro", "far", "-b", mine, "--cases", cases)
    assert "def log_softmax(x, *, axis):" in ran.out and called in ran.out and "conformance" not in ran.out
    assert len(ran.out.splitlines()) < 30
    out, error = run_bare(ran.out)
    assert re.search("observed: -?0.0 instead of 0.69314718", out), out + error
    assert "exact:    0.69314718055994531" in out and "ulp of float32" in out, error


def test_a_recorded_finding_is_of_the_profile_that_the_run_recorded(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, "return (result * 2).astype(logits.dtype)")
    conformance("run", "-b", mine, "--cases", cases, "--output", "run", "-q")
    options = ("repro", "plain", "--cases", cases, "--issue", "-b")
    live, recorded = conformance(*options, mine).out, conformance(*options, "mine", "--run", "run").out
    line = next(each for each in live.splitlines() if each.startswith("Documentation: "))
    assert "numpy.org" in line and line in recorded


def test_a_recorded_run_gives_the_same_script_and_an_issue(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, "return (result * 2).astype(logits.dtype)")
    live = conformance("repro", "plain", "-b", mine, "--cases", cases).out
    assert conformance("run", "-b", mine, "--cases", cases, "--output", "run", "-q").code == 1
    mine.unlink()  # the adapter is gone: the results hold its source
    options = ("repro", "plain", "-b", "mine", "--cases", cases, "--run", "run")
    assert conformance(*options).out == live
    for spec in ("mine.py", mine, "elsewhere/mine.py"):
        assert conformance("repro", "plain", "-b", spec, "--cases", cases, "--run", "run").out == live
    missing = conformance("repro", "plain", "-b", "other.py", "--cases", cases, "--run", "run")
    assert missing.code == 2 and "run has no backend 'other.py'\n  hint: write one of mine" in missing.err
    draft = conformance(*options, "--issue").out
    assert live.strip() in draft
    for part in ("# softmax in float32", "## What happens", "## What is expected", "0.79", "numpy", "not reported"):
        assert part in draft, part
    ran = conformance(*options, "--output", "drafts")
    assert ran.out.split() == ["drafts/plain-mine.py", "drafts/plain-mine.md"]
    assert Path("drafts/plain-mine.py").read_text() == live


def test_what_did_not_come_back_is_not_shown_as_a_pass(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, DIES_ONCE.format(mark=str(tmp_path / "died")))
    mine.write_text("import os\n" + mine.read_text())
    ran = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert ran.code == 2 and "mine: unreproduced: " in ran.err and not ran.out
    again = conformance("repro", "plain", "-b", mine, "--cases", cases)
    assert again.code == 0 and "a pass here" in again.err and again.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("nothing",), "there is no case"),
        (("plain", "--check", "speed"), "checks made"),
        (("plain", "--dtype", "float63"), "float63"),
        (("plain", "--run", "nowhere"), "no run"),
    ],
)
def test_wrong_usage_is_said(conformance: Run, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    cases, mine = softmax_files(tmp_path, "return result")
    ran = conformance("repro", *options, "-b", mine, "--cases", cases)
    assert ran.code == 2 and said in ran.err and not ran.out

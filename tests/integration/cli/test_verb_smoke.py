"""``conformance smoke`` says whether an adapter is sound, and where its first fault is."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import smoke
from conformance.places import ROOT
from tests.support.cli import MINE, WRONG, Run, adapter, process, write

pytestmark = pytest.mark.slow

SOUND = "(powers / powers.sum(axis, keepdims=True)).astype(logits.dtype)"
OPERATIONS = ["softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss"]


def states(ran: Any) -> dict[str, str]:
    return {each["operation"]: each["state"] for each in ran.json}


def softmax(body: str) -> str:
    """An adapter whose softmax is ``body``."""
    return MINE.partition("        powers")[0] + f"        {body}\n"


def test_a_sound_backend(conformance: Run) -> None:
    ran = conformance("smoke", "-b", "numpy", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert states(ran) == dict.fromkeys(OPERATIONS, "composed")
    assert all(each["sound"] == each["calls"] > 0 and each["fault"] is None for each in ran.json)
    assert {each["operation"]: each["calls"] >= 4 for each in ran.json} == dict.fromkeys(OPERATIONS, True)


def test_a_kernel_in_a_file_as_the_documentation_shows_it(tmp_path: Path) -> None:
    text = inspect.cleandoc(inspect.getdoc(smoke) or "").partition("::\n\n")[2]
    assert len([line for line in text.splitlines() if line]) <= 10
    write(tmp_path / "my_kernel.py", text)
    ran = process("smoke", "-b", "my_kernel.py", folder=tmp_path)
    assert (ran.code, ran.err) == (0, "") and "\x1b" not in ran.out
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0].startswith("my_kernel: numpy") and "softmax overridden 5 of 5 calls right my_kernel.py:6" in lines
    assert any(line.startswith("log_softmax composed 4 of 4 calls right backends/adapters/numpy.py:") for line in lines)
    assert "sound" in lines


def test_a_wrong_result_is_a_non_conformity(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("smoke", "-b", adapter(tmp_path, WRONG))
    assert ran.code == 1
    first = next(line for line in ran.out.splitlines() if "smoke-softmax in" in line)
    assert "smoke-softmax in float64, value: " in first and " instead of " in first
    assert "hint: compare softmax at mine.py:5 with the definition" in ran.out and "a result is wrong" in ran.out
    assert "`conformance explain smoke-softmax`" in ran.out


def test_its_calls_are_derived_and_written_as_scripts(conformance: Run, tmp_path: Path) -> None:
    mine = adapter(tmp_path, WRONG)
    ran = conformance("explain", "smoke-softmax", "-b", mine)
    assert ran.code == 1 and "smoke-softmax" in ran.out and "FAIL" in ran.out.upper()
    assert conformance("explain", "smoke-weight").code == 0
    ran = conformance("repro", "smoke-softmax", "-b", mine)
    assert ran.code == 0 and "smoke-softmax" in ran.out


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("return np.expp(logits)", "AttributeError: module 'numpy' has no attribute 'expp'", "correct mine.py:6"),
        ("return undefined", "NameError: name 'undefined' is not defined", "correct mine.py:6"),
        ("return 'text'", "cannot be read as an array", "must return the framework's own tensor"),
        ("return None", "cannot be read as an array", "must return the framework's own tensor"),
    ],
)
def test_a_fault_of_the_adapter(conformance: Run, tmp_path: Path, body: str, message: str, hint: str) -> None:
    ran = conformance("smoke", "-b", write(tmp_path / "mine.py", softmax(body)), "--format", "json")
    assert ran.code == 3 and states(ran)["softmax"] == "error" and states(ran)["log_softmax"] == "composed"
    assert message in ran.json[0]["fault"] and hint in ran.json[0]["hint"] and ran.json[0]["source"] == "mine.py:5"


def test_what_the_framework_raises_is_its_own_fault(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("smoke", "-b", write(tmp_path / "mine.py", softmax("raise ValueError('no')")), "--format", "json")
    assert ran.code == 1 and states(ran)["softmax"] == "fail"
    assert "ValueError: no (at mine.py:6)" in ran.json[0]["fault"] and "raise Unsupported" in ran.json[0]["hint"]


def test_an_unsupported_operation_is_not_a_fault(conformance: Run, tmp_path: Path) -> None:
    text = softmax("raise Unsupported('there is no softmax here')").replace(
        "import numpy", "from conformance.backends.contract import Unsupported\nimport numpy"
    )
    file = write(tmp_path / "mine.py", text)
    ran = conformance("smoke", "-b", file, "--format", "json")
    assert (
        ran.code == 0 and states(ran)["softmax"] == "unsupported" and ran.json[0]["unsupported"] == ran.json[0]["calls"]
    )
    assert "there is no softmax here" in conformance("smoke", "-b", file).out


FORWARD_ONLY = """\
import numpy as np
from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.runtimes.numpy import NumpyRuntime

class Mine(Adapter):
    framework, library, profile, runs_on = "numpy", "mine", "", NumpyRuntime
    offers = Offers(operations={"softmax": "native"}, gradient="unsupported")

    def softmax(self, logits, *, axis):
        powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
        return powers / powers.sum(%s)
"""


#: The same without a word on gradients, and by the contract alone; and where asking for one raises.
SILENT = FORWARD_ONLY.replace(', gradient="unsupported"', "")
OF_THE_CONTRACT = """\
import numpy as np
from conformance.backends.contract import Backend, Unsupported

class Mine(Backend):
    framework, profile = "numpy", ""
    versions = lambda self: {"numpy": np.__version__}
    tensor = array = lambda self, x: x

    def _none(self, *arguments, **options):
        raise Unsupported("there is none")

    log_softmax = nll_loss = cross_entropy = _none

    def softmax(self, logits, *, axis):
        powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
        return powers / powers.sum(%s)
"""
COMPILED = SILENT.replace("    offers", "    executions = compiled = ('compile',)\n    offers")
RAISES = (
    FORWARD_ONLY
    + """
    def differentiate(self, call, logits, upstream):
        raise RuntimeError("this build has no autograd")
"""
)
KERNELS = {"declared": FORWARD_ONLY, "silent": SILENT, "contract": OF_THE_CONTRACT, "compiled": COMPILED}


@pytest.mark.parametrize("kind", [*KERNELS, "raises"])
def test_an_adapter_without_gradients_is_sound(conformance: Run, tmp_path: Path, kind: str) -> None:
    text = (KERNELS | {"raises": RAISES})[kind]
    file = write(tmp_path / "mine.py", text.replace("%s", "axis=axis, keepdims=True"))
    ran = conformance("smoke", "-b", file, "--format", "json")
    state = "defined" if kind == "contract" else "native"
    assert ran.code == 0 and states(ran)["softmax"] == state and ran.json[0]["fault"] is None
    assert (ran.json[0]["sound"], ran.json[0]["unsupported"]) == (ran.json[0]["calls"], 0)
    assert ran.json[0]["values_only"] == ran.json[0]["calls"] > 0


def test_what_has_no_gradient_says_so(conformance: Run, tmp_path: Path) -> None:
    text = conformance("smoke", "-b", write(tmp_path / "mine.py", FORWARD_ONLY % "axis=axis, keepdims=True")).out
    assert " without a gradient" in text and "note: smoke-softmax in float64, gradient: " in text and "sound" in text


def test_a_wrong_value_without_a_gradient_is_a_non_conformity(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("smoke", "-b", write(tmp_path / "mine.py", FORWARD_ONLY % ""), "--format", "json")
    assert ran.code == 1 and states(ran)["softmax"] == "fail" and "value: " in ran.json[0]["fault"]


def test_a_dtype_that_is_not_declared_is_not_asked_for(conformance: Run, tmp_path: Path) -> None:
    file = write(
        tmp_path / "mine.py", softmax("return super().softmax(logits, axis=axis) if logits.itemsize == 2 else 0")
    )
    write(
        tmp_path / "mine.profile.yaml",
        "backend: mine\nextends: numpy\ndtypes: {value: {softmax: [float16, bfloat16]}, documentation: undocumented}\n",
    )
    ran = conformance("smoke", "-b", file, "--format", "json")
    assert (ran.code, states(ran)["softmax"]) == (0, "overridden")
    assert (ran.json[0]["sound"], ran.json[0]["unsupported"], ran.json[0]["calls"]) == (2, 3, 5)
    assert "not asked for in float64: the dtypes that the profile declares" in ran.json[0]["fault"]


def test_the_example_of_the_guide_for_adapters(conformance: Run, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    text = guide.partition("```python file=sharp.py\n")[2].partition("```")[0]
    ran = conformance("smoke", "-b", write(tmp_path / "sharp.py", text), "--format", "json")
    assert ran.code == 0 and states(ran)["log_softmax"] == "native", ran.out


def test_a_backend_that_supports_nothing_is_not_usable(conformance: Run, tmp_path: Path) -> None:
    text = """\
    from conformance.backends.contract import Backend, Unsupported

    def _none(self, *arguments, **options):
        raise Unsupported("nothing")

    class Empty(Backend):
        framework = profile = "empty"
        versions = lambda self: {"empty": "0"}
        tensor = array = lambda self, x: x
        softmax = log_softmax = nll_loss = cross_entropy = differentiate = _none
    """
    ran = conformance("smoke", "-b", write(tmp_path / "empty.py", text))
    assert ran.code == 3 and "not usable" in ran.out


def test_a_call_that_kills_the_process(conformance: Run, tmp_path: Path) -> None:
    text = (
        softmax("import os; os._exit(7)")
        + "\n    def log_softmax(self, logits, *, axis):\n        return super().log_softmax(logits, axis=axis)\n"
    )
    ran = conformance("smoke", "-b", write(tmp_path / "mine.py", text), "--format", "json")
    found = states(ran)
    assert ran.code == 1 and found["softmax"] == "crash" and found["log_softmax"] == "overridden"


def test_a_file_that_fails_on_import_and_one_that_is_not_there(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("smoke", "-b", write(tmp_path / "mine.py", "import numpy as np\nnp.nothing\n"))
    assert ran.code == 3 and "fails on import" in ran.err and "mine.py:2" in ran.err and "Traceback" not in ran.err
    ran = conformance("smoke", "-b", tmp_path / "mime.py")
    assert ran.code == 2 and "there is no file" in ran.err and "did you mean" in ran.err
    ran = conformance("smoke")
    assert ran.code == 2 and "no backend named" in ran.err


def test_what_an_adapter_says_cannot_steer_a_terminal(tmp_path: Path) -> None:
    write(tmp_path / "mine.py", softmax("raise RuntimeError('first\\n::error::second \\x1b[31m \\udc80')"))
    ran = process("smoke", "-b", "mine.py", folder=tmp_path)
    assert ran.code == 1 and "\x1b" not in ran.out and "\\x1b[31m \\udc80" in ran.out
    assert "first\n" in ran.out and "\n      ::error" not in ran.out


def test_a_method_that_lacks_a_keyword_is_advised_to_take_it(conformance: Run, tmp_path: Path) -> None:
    head = MINE.partition("    def softmax")[0]
    mine = write(tmp_path / "mine.py", f"{head}    def cross_entropy(self, logits, targets):\n        return logits\n")
    out = conformance("smoke", "-b", mine).out
    assert "hint: add the keyword 'axis' to cross_entropy at mine.py:" in out

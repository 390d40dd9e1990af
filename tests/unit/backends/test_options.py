"""The options of a backend: words of their own, from the spec to the adapter, and what lacks them is left out aloud."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

from conformance.backends.contract import Backend, Call
from conformance.backends.discovery import create, find, installed
from conformance.backends.errors import BrokenBackend
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.worker.find import find_backends

OWN = """
    from conformance.backends.adapters.numpy import Numpy

    class Mine(Numpy):
        executions = ("eager", "fast")
        compositions = ("fused",)
        precisions = ("half",)
"""
#: A class that takes the options as one text, as a constructor may.
TEXT = """
    from conformance.backends.adapters.numpy import Numpy

    class Mine(Numpy):
        executions = ("eager", "fast")
        compiled = ("fast",)

        def __init__(self, *, device="", mode="", threads=1):
            super().__init__(device=device, mode=mode, threads=threads)
            self.is_fast = self.mode == "fast"
"""


def write(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return str(folder / "mine.py")


@pytest.mark.parametrize(
    ("words", "mode", "options"),
    [
        ("", "eager", ("eager", "", "")),
        (":fast", "fast", ("fast", "", "")),
        (":fused", "fused", ("eager", "fused", "")),
        (":half:cpu", "half", ("eager", "", "half")),
        (":half:fused:fast", "fast:fused:half", ("fast", "fused", "half")),
    ],
)
def test_each_word_reaches_its_option(words: str, mode: str, options: tuple[str, ...], tmp_path: Path) -> None:
    made = create(write(tmp_path, OWN) + words)
    assert (made.mode, (made.execution, made.composition, made.precision)) == (mode, options)


def test_a_class_gets_its_options_as_one_text(tmp_path: Path) -> None:
    file = write(tmp_path, TEXT)
    plain, fast = create(file), create(file + ":fast")
    assert (plain.mode, plain.execution, plain.compiles) == ("eager", "eager", False)
    assert (fast.mode, fast.execution, fast.compiles) == ("fast", "fast", True)
    assert fast.is_fast  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("former", "name"),
    [
        ("modes", "executions"),
        ("compiled_modes", "compiled"),
        ("directional", "jvp"),
        ("hessian_product", "hvp"),
        ("mapped", "vmap"),
        ("second_backward", "second_vjp"),
        ("device_seconds", "runtime.device.seconds"),
        ("device_peak_bytes", "runtime.device.peak_bytes"),
        ("device_streams", "runtime.device.streams"),
        ("device_evict", "runtime.device.evict"),
        ("script", "a template, backends/snippets/NAME.py.j2"),
    ],
)
def test_a_former_name_is_refused_with_the_present_one(former: str, name: str, tmp_path: Path) -> None:
    file = write(tmp_path, OWN.replace("precisions", former))
    with pytest.raises(BrokenBackend, match=rf"Mine.{former} is not read: use {name} \(docs/backends.md\)") as caught:
        create(file)
    assert caught.value.hint == f"correct {file}:4"


#: How files wrote their operations, each calling its parent or a sibling.
WRITTEN = {
    "named": """
        def cross_entropy(self, logits, targets, *, axis, weight=None, ignore_index, label_smoothing, reduction):
            return super().cross_entropy(logits, targets, axis=axis, weight=weight, ignore_index=ignore_index,
                                         label_smoothing=label_smoothing, reduction=reduction)
    """,
    "the rest": """
        def cross_entropy(self, logits, targets, *, reduction, **options):
            return super().cross_entropy(logits, targets, reduction=reduction, **options)
    """,
    "everything": """
        def cross_entropy(self, logits, targets, **options):
            return super().cross_entropy(logits, targets, **options)
    """,
    "composed": """
        def softmax(self, logits, *, axis):
            return super().softmax(logits, axis=axis)

        def cross_entropy(self, logits, targets, *, axis, weight=None, ignore_index, label_smoothing, reduction):
            if label_smoothing:
                raise Unsupported("no label smoothing")
            logp = self.log_softmax(logits, axis=axis)
            return self.nll_loss(
                logp, targets, weight=weight, axis=axis, ignore_index=ignore_index, reduction=reduction
            )
    """,
}


@pytest.mark.framework
@pytest.mark.parametrize("parent", ["Numpy", "Torch", "Jax", "TensorFlow"])
@pytest.mark.parametrize("written", WRITTEN)
def test_a_file_overrides_an_operation_in_every_way_of_writing_it(parent: str, written: str, tmp_path: Path) -> None:
    if written == "composed" and parent == "TensorFlow":
        pytest.skip("it has no nll_loss to call")
    pytest.importorskip(parent.lower())
    body = textwrap.dedent(WRITTEN[written])
    head = f"from conformance.backends.contract import Unsupported\nfrom conformance.backends.{parent.lower()} import "
    file = write(tmp_path, f"{head}{parent}\n\n\nclass Mine({parent}):\n{textwrap.indent(body, '    ')}")
    made, plain = create(file), create(parent.lower())
    logits, targets = np.array([[1.0, 2.0, 4.0], [0.0, 0.5, -1.0]]), np.array([2, 0])
    options = (("axis", 1), ("ignore_index", None), ("label_smoothing", None), ("reduction", "sum"))
    values = []
    for backend in (made, plain):
        call = Call("cross_entropy", {"targets": backend.tensor(targets)}, options)
        values.append([backend.array(each) for each in _value_and_gradient(backend, call, logits)])
    for own, suite in zip(*values, strict=True):
        np.testing.assert_allclose(own, suite, rtol=1e-15)


def _value_and_gradient(backend: Backend, call: Call, logits: np.ndarray) -> tuple[object, ...]:
    tensor, upstream = backend.tensor(logits), backend.tensor(np.array(1.0))
    return backend.evaluate(call, tensor), *backend.differentiate(call, tensor, upstream)


def test_backends_without_the_device_are_left_out_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    with_cuda = {each.base for each in installed() if "cuda" in (each.devices or ())}
    if not with_cuda:
        pytest.skip("no framework is installed")
    found = find_backends((), device="cuda")
    assert {each.base for each in found} == with_cuda and all(each.name == f"{each.base}:cuda" for each in found)
    said = capsys.readouterr().err.splitlines()
    assert "numpy is left out: NumPy has no device 'cuda'" in said
    assert all(" is left out: " in each and each.endswith(" has no device 'cuda'") for each in said)


def test_a_device_that_nothing_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no installed backend has abacus"):
        find_backends((), device="abacus")
    assert "numpy is left out" in capsys.readouterr().err


def test_a_name_that_no_results_file_could_hold_is_an_error() -> None:
    with pytest.raises(BackendUnavailable, match=r"the name bad_\\udcff.py is not UTF-8"):
        find_backends(("bad_\udcff.py",))


def test_a_profile_beside_a_file_or_module_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, OWN)
    assert find(file).own_profile is None and find("numpy").own_profile is None
    profile = tmp_path / "mine.profile.yaml"
    profile.write_text("backend: mine\n", encoding="utf-8")
    package = tmp_path / "vendor_of_kernels"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')", encoding="utf-8")
    (package / "adapter.profile.yaml").write_text("backend: adapter\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find(file).own_profile == find("mine:Mine").own_profile == profile
    assert find("vendor_of_kernels.adapter:Mine").own_profile == package / "adapter.profile.yaml"

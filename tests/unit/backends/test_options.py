"""The options of a backend: words of their own, from the spec to the adapter, and what lacks them is left out aloud."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from conformance.backends.discovery import create, find, installed
from conformance.model.errors import UsageError
from conformance.worker.find import find_backends

OWN = """
    from conformance.backends.adapters.numpy import Numpy

    class Mine(Numpy):
        executions = ("eager", "fast")
        compositions = ("fused",)
        precisions = ("half",)
"""
#: As files were written when a backend had modes.
FORMER = """
    from conformance.backends.adapters.numpy import Numpy

    class Mine(Numpy):
        modes = ("eager", "fast")
        compiled_modes = ("fast",)

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


def test_a_class_with_the_former_modes_is_run_as_before(tmp_path: Path) -> None:
    file = write(tmp_path, FORMER)
    plain, fast = create(file), create(file + ":fast")
    assert (plain.mode, plain.execution, plain.compiles) == ("eager", "eager", False)
    assert (fast.mode, fast.execution, fast.compiles) == ("fast", "fast", True)
    assert fast.is_fast  # type: ignore[attr-defined]


def test_backends_without_the_device_are_left_out_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    with_cuda = {each.base for each in installed() if "cuda" in (each.devices or ())}
    if not with_cuda:
        pytest.skip("no framework is installed")
    found = find_backends((), device="cuda")
    assert {each.base for each in found} == with_cuda and all(each.name == f"{each.base}:cuda" for each in found)
    assert capsys.readouterr().err == "numpy is left out: numpy:cuda: 'cuda' is not an option of Numpy\n"


def test_a_device_that_nothing_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no installed backend has abacus"):
        find_backends((), device="abacus")
    assert "numpy is left out" in capsys.readouterr().err


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

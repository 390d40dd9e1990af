"""The script that a GPU is asked by, on a machine without one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.places import ROOT
from tests.device import differences
from tests.support.cli import write

SCRIPT = ROOT / "tests" / "device.py"
MINE = """
import numpy as np
from conformance.backends.adapters.numpy import Numpy

class Mine(Numpy):
    def softmax(self, logits, *, axis):
        return super().softmax(logits, axis=axis) * np.float32(1.001)
"""


def script(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False, env=environment
    )


def test_without_a_device_it_says_so_and_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    """No device is visible to the frameworks, whether or not they are installed and the machine has one."""
    ran = script("run", "--output", tmp_path, CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
    assert ran.returncode == 4 and not ran.stdout
    assert "there is no CUDA device here" in ran.stderr and "hint: --device cpu" in ran.stderr


def test_what_is_carried_is_what_the_suite_needs_and_the_machine_lacks(tmp_path: Path) -> None:
    listed = script("wheels", tmp_path / "none", "--list").stdout
    names = {line.partition(">")[0] for line in listed.splitlines()}
    assert {"click", "msgspec", "python-flint", "pyyaml", "rich"} <= names
    assert not names & {"numpy", "pandas", "pytest", "pytest-benchmark", "torch", "jax"}
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_what_is_not_there_or_not_installed_is_said_in_a_line(tmp_path: Path) -> None:
    none = script("differences", tmp_path / "none", "numpy", "mine")
    assert none.returncode == 2 and not none.stdout
    assert "none cannot be read: " in none.stderr and "Traceback" not in none.stderr
    write(tmp_path / "broken-1-py3-none-any.whl", "no archive")
    broken = script("run", "--device", "cpu", "--wheels", tmp_path, "--output", tmp_path / "out")
    assert broken.returncode == 1 and "1 wheels of " in broken.stderr and "Traceback" not in broken.stderr


def test_a_bar_in_a_cell_is_escaped() -> None:
    check = ("a|b", "float32", "contiguous", "softmax", "none", "value")
    text = differences({"one": {check: ("pass", "")}, "two": {check: ("fail", "wrong")}}, [("one", "two")])
    assert "| a\\|b | float32 |" in text
    assert "three: not in the run" in differences({"one": {}}, [("one", "three")])


@pytest.mark.slow
def test_all_but_the_device_goes_its_way_on_the_processor(tmp_path: Path) -> None:
    """A run of two backends, whose differences are found check by check; a step without time is not begun."""
    kernel, output = write(tmp_path / "mine.py", MINE), tmp_path / "out"
    arguments = ("--device", "cpu", "-b", "numpy", "-b", kernel, "-k", "tutorial and softmax", "--output", output)
    ran = script("run", *arguments, "--without", "benchmark")
    assert ran.returncode == 1, ran.stderr  # mine does not conform
    summary = (output / "summary.md").read_text()
    assert "# cpu: " in summary and "| conformance | exit code 1 |" in summary and "| pages | exit code 0 |" in summary
    assert (output / "pages").is_dir()
    found = script("differences", output / "conformance", "numpy", "mine").stdout
    assert "| pass | fail | " in found and "| softmax-of-the-tutorial-logits | float32 |" in found
    assert " 0 with another outcome" in script("differences", output / "conformance", "numpy", "numpy").stdout
    absent = script("differences", output / "conformance", "numpy", "torch")
    assert absent.returncode == 2 and not absent.stdout
    assert "torch is not in the run" in absent.stderr and "hint: it has mine, numpy" in absent.stderr
    late = script("run", *arguments, "--seconds", "0")
    assert late.returncode == 1 and "not begun: no time was left" in (output / "summary.md").read_text()


HANGING = """
import time, pathlib
from conformance.backends.adapters.numpy import Numpy

class Hanging(Numpy):
    def softmax(self, logits, *, axis):
        pathlib.Path(__file__).with_name("asked").touch()
        time.sleep(600)
"""


#: Becomes the command of its arguments, which SIGINT ends: nohup, and a shell's background, have it ignored.
INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_when_it_is_ended_no_step_is_left(tmp_path: Path, how: signal.Signals) -> None:
    kernel = write(tmp_path / "hanging.py", HANGING)
    arguments = ("--device", "cpu", "-b", kernel, "-k", "tutorial and softmax", "--output", tmp_path / "out")
    command = [sys.executable, "-c", INTERRUPTIBLE, SCRIPT, "run", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: (tmp_path / "asked").exists(), 60) and started_for(tmp_path)
        process.send_signal(how)
        assert process.wait(20) != 0
    finally:
        process.kill()
        process.wait()
    left = [] if until(lambda: not started_for(tmp_path), 10) else started_for(tmp_path)
    for each in left:
        os.kill(each, signal.SIGKILL)
    assert not left


def until(holds: Callable[[], bool], seconds: float) -> bool:
    last = time.monotonic() + seconds
    while not holds() and time.monotonic() < last:
        time.sleep(0.05)
    return holds()


def started_for(folder: Path) -> list[int]:
    """The processes whose command names the folder, but for the script itself."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = each.read_bytes()
            if os.fsencode(folder) in words and os.fsencode(SCRIPT) not in words:
                found.append(int(each.parent.name))
    return found

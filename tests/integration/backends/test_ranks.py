"""Backends of several ranks: all make each call, and none outlives the first or hangs for good."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.support.cli import process, write

pytestmark = [pytest.mark.framework, pytest.mark.slow]

CASES = """theme: worked
cases:
  - {id: eight, why: a test, op: cross_entropy, logits: [[1, 2, 3, 4, 5, 6, 7, 8.5]], targets: [6]}
  - {id: six, why: a test, op: cross_entropy, logits: [[1, 2, 3, 4, 5, 6.5]], targets: [4]}
  - {id: four, why: a test, op: cross_entropy, logits: [[1, 2, 3, 4.5]], targets: [2]}
"""
UNEQUAL = """
import time
from conformance.backends.adapters.loss_parallel import LossParallel

class Unequal(LossParallel):
    '''The second rank never enters a loss of eight classes, and raises after one of six.'''

    def cross_entropy(self, logits, targets, **options):
        if self.runtime.ranks.rank and logits.shape[1] == 8:
            time.sleep(600)
        losses = super().cross_entropy(logits, targets, **options)
        if self.runtime.ranks.rank and logits.shape[1] == 6:
            raise ValueError("of my own")
        return losses
"""


def ranks_of(folder: Path) -> list[int]:
    """The processes that were started as ranks of a backend in ``folder``."""
    mine = os.fsencode(folder)
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if b"backends.runtimes.ranks" in words and mine in words:
            found.append(int(each.parent.name))
    return found


def test_the_ranks_make_every_call_and_end_with_the_first(tmp_path: Path) -> None:
    """A rank that alone raises is named; one that does not come is waited for as long as a call may take."""
    pytest.importorskip("torch")
    kernel, cases = write(tmp_path / "unequal.py", UNEQUAL), write(tmp_path / "cases.yaml", CASES)
    arguments = ("--cases", cases, "--dtype", "float32", "--jobs", "1", "--output", tmp_path / "run")
    ran = process("run", "-b", f"{kernel}:2-ranks", *arguments, "--timeout", "20", "--restarts", "1", folder=tmp_path)
    assert ran.code == 1, ran.err
    lines = map(json.loads, (tmp_path / "run" / "outcomes.jsonl").read_text().splitlines())
    values = [each for each in lines if each.get("check") == "value"]
    by_case = {name: [each for each in values if each["case"] == name] for name in ("eight", "six", "four")}
    assert by_case["four"] and all(each["verdict"] == "pass" for each in by_case["four"])
    assert any("rank 1 alone raised ValueError: of my own" in str(each["error"]) for each in by_case["six"])
    assert any("no answer within 20 s" in str(each["error"]) for each in by_case["eight"])
    last = time.monotonic() + 10
    while ranks_of(tmp_path) and time.monotonic() < last:
        time.sleep(0.1)
    assert not ranks_of(tmp_path)


def test_the_compiled_loss_of_jax_is_divided() -> None:
    """Each device reduces its own classes, and what they find is exchanged."""
    pytest.importorskip("jax")
    code = (
        "import numpy as np\n"
        "from conformance.backends.contract import Call\n"
        "from conformance.backends.discovery import create\n"
        "backend = create('jax:4-ranks')\n"
        "call = Call('cross_entropy', {}, (('axis', 1), ('reduction', 'mean')))\n"
        "logits, targets = backend.tensor(np.zeros((2, 7), np.float32)), backend.tensor(np.zeros(2, np.int64))\n"
        "function = backend._function('value', call)\n"
        "print(function.lower(logits, {'targets': targets}).compile().as_text().count('all-reduce('))\n"
        "print(backend.settings()['ranks'], float(function(logits, {'targets': targets})))\n"
    )
    import subprocess
    import sys

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(found[0]) >= 2 and found[1] == "4"
    assert abs(float(found[2]) - 1.9459101) < 1e-5

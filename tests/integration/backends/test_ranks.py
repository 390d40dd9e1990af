"""Backends of several ranks: all make each call, and none outlives the first or hangs for good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import process, write

pytestmark = [pytest.mark.framework, pytest.mark.slow]

CASE = (
    "{id: NAME, why: w, op: cross_entropy, logits: [LOGITS], targets: [2], reductions: [mean], layouts: [contiguous]}"
)


def cases(folder: Path, **classes: int) -> Path:
    """A file of cases, each of so many classes."""
    lines = [CASE.replace("NAME", name).replace("LOGITS", str([*range(count)])) for name, count in classes.items()]
    return write(folder / "cases.yaml", "theme: worked\ncases:\n" + "".join(f"  - {line}\n" for line in lines))


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


def asked(folder: Path, *options: str, **classes: int) -> dict[str, dict[str, Any]]:
    """The outcome of each case's value, once no process is left."""
    pytest.importorskip("torch")
    kernel = write(folder / "unequal.py", UNEQUAL)
    arguments = ("--cases", cases(folder, **classes), "--dtype", "float32", "--jobs", "1", "--output", folder / "run")
    ran = process("run", "-b", f"{kernel}:2-ranks", *arguments, *options, folder=folder)
    assert ran.code == 1, ran.err
    lines = map(json.loads, (folder / "run" / "outcomes.jsonl").read_text().splitlines())
    last = time.monotonic() + 10
    while ranks_of(folder) and time.monotonic() < last:
        time.sleep(0.1)
    assert not ranks_of(folder)
    return {each["case"]: each for each in lines if each.get("check") == "value"}


def test_the_ranks_make_every_call_and_one_that_raises_alone_is_named(tmp_path: Path) -> None:
    found = asked(tmp_path, four=4, six=6)
    assert found["four"]["verdict"] == "pass"
    assert "rank 1 alone raised ValueError: of my own" in str(found["six"]["error"])


@pytest.mark.nightly
def test_a_rank_that_does_not_come_is_waited_for_as_long_as_a_call_may_take(tmp_path: Path) -> None:
    """Its process, and with it all ranks, is replaced: what follows is answered."""
    found = asked(tmp_path, "--timeout", "20", "--restarts", "1", eight=8, four=4)
    assert "no answer within 20 s" in str(found["eight"]["error"])
    assert found["four"]["verdict"] == "pass"


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
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(found[0]) >= 2 and found[1] == "4"
    assert abs(float(found[2]) - 1.9459101) < 1e-5


def test_what_jax_divides_only_within_jit_is_unsupported_eagerly(tmp_path: Path) -> None:
    """Outside it, a sharding constraint raises where the parts would not be equal."""
    pytest.importorskip("jax")
    arguments = ("--cases", cases(tmp_path, three=3, four=4), "--dtype", "float32", "--jobs", "1", "--output")
    ran = process("run", "-b", "jax:eager:2-ranks", *arguments, tmp_path / "run", folder=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    lines = [json.loads(each) for each in (tmp_path / "run" / "outcomes.jsonl").read_text().splitlines()]
    verdicts = {(each["case"], each["verdict"]) for each in lines if each.get("check") in ("value", "gradient")}
    assert verdicts == {("three", "unsupported"), ("four", "pass")}


INTERRUPTED = """
import numpy as np
from conformance.backends.discovery import create

backend = create("unequal.py:2-ranks")
try:
    with backend.runtime.ranks.together("cross_entropy", backend.tensor(np.zeros((1, 8), np.float32)), None):
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_waits_for_no_rank_and_no_folder_is_left(tmp_path: Path) -> None:
    """The second rank sleeps within the call in which the first is interrupted."""
    pytest.importorskip("torch")
    write(tmp_path / "unequal.py", UNEQUAL)
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    with (tmp_path / "said").open("w") as said:
        first = subprocess.Popen([sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env=environment, stdout=said)
        try:
            assert first.wait(90) == 0
        finally:
            first.kill()
            for each in ranks_of(tmp_path):  # which sleeps still
                os.kill(each, signal.SIGKILL)
    assert (tmp_path / "said").read_text() == "interrupted\n"
    assert not [*tmp_path.glob("ranks-*")]

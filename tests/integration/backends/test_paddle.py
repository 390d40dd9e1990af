"""PaddlePaddle in two threads, in a process of its own: where they disturb each other, it may end."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from conformance.places import ROOT

ASKED = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
from conformance.backends.contract import Call
from conformance.backends.discovery import create

backend = create("paddle", threads=1)
options = {"axis": 1, "ignore_index": None, "label_smoothing": None, "reduction": "none"}
call = Call("cross_entropy", {"targets": backend.tensor(np.arange(8) % 5)}, tuple(options.items()))

def gradient(logits):
    found = backend.differentiate(call, backend.tensor(logits), backend.tensor(np.ones(8)))[1]
    return backend.array(found).tobytes()

def gradients(logits):
    ready.wait()
    return {gradient(logits) for _ in range(300)}

both = np.random.default_rng(0).normal(size=(2, 8, 5))
alone, ready = [{gradient(each)} for each in both], Barrier(2)
with ThreadPoolExecutor(2) as threads:
    assert list(threads.map(gradients, both)) == alone
assert alone[0] != alone[1]
print("equal")
"""


@pytest.mark.framework
def test_gradients_in_two_threads_are_those_of_one() -> None:
    if find_spec("paddle") is None:
        pytest.skip("paddle is not installed")
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["equal"]), done.stderr[-2000:]

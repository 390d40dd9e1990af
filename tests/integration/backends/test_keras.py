"""Keras on each of its engines: a process has one, so that each is asked in a process of its own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec

import pytest

from conformance.places import ROOT

ASKED = """
import json, sys
import numpy as np
from conformance.backends.contract import Call, Unsupported
from conformance.backends.discovery import create

def asked(spec, targets, weight=None, **stated):
    backend = create(spec)
    options = {"axis": -1, "ignore_index": None, "label_smoothing": None, "reduction": "sum"} | stated
    operands = {"targets": backend.tensor(np.array(targets))}
    operands |= {} if weight is None else {"weight": backend.tensor(np.array(weight, np.float32))}
    call = Call("cross_entropy", operands, tuple(options.items()))
    logits = backend.tensor(np.array([[1, 2, 4], [0.5, -1, 0]], np.float32))
    return float(backend.array(backend.evaluate(call, logits)).sum())

spec, other = sys.argv[1:]
found = [asked(spec, [2, 0]), asked(spec, [2, 1], ignore_index=1, reduction="mean"),
         asked(spec, np.eye(3, dtype=np.float32)[[2, 0]], label_smoothing=0.3), asked(spec, [2, 0], [1.5, 1, 0.5]),
         asked(spec + ":function", np.eye(3, dtype=np.float32)[[2, 0]], reduction="none")]
try:
    asked(spec, [2, 0], label_smoothing=0.3)
except Unsupported as error:
    found.append(str(error))
try:
    create(other)
except LookupError as error:
    print(json.dumps([found, str(error)]))
"""
COMPILED = """
import json, sys
import numpy as np
from conformance.backends.discovery import create
from conformance.worker.exchange import Request
from conformance.worker.session import InlineSession

logits = np.array([[1, 2, 4], [0.5, -1, 0]], np.float32)
options = (("axis", -1), ("ignore_index", None), ("label_smoothing", None), ("reduction", "sum"))
labels = {"targets": np.array([2, 0])}
request = Request(0, "cross_entropy", logits, labels, options, upstream=np.array(1, np.float32))
(seen,) = InlineSession(create(sys.argv[1], threads=1)).run([request])
print(json.dumps([seen.mode.compiled, seen.mode.uncompiled, float(seen.value), float(seen.gradient[0, 2])]))
"""
#: Of the first position and of the second: the losses of their labels, and those over all classes alike.
FIRST, SECOND, UNIFORM = 0.1698460195562852, 0.6041306053367284, 3.107309958226347


@pytest.mark.framework
@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", ["torch", "numpy", *(pytest.param(each, marks=pytest.mark.nightly) for each in ("jax", "tensorflow"))]
)
def test_the_losses_are_the_definitions_on_every_engine(engine: str) -> None:
    for needed in ("keras", engine):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    other = "keras_torch" if engine == "numpy" else "keras_numpy"
    command = [sys.executable, "-c", ASKED, f"keras_{engine}", other]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, refused = json.loads(done.stdout.splitlines()[-1])
    smoothed = 0.7 * (FIRST + SECOND) + 0.3 * UNIFORM
    weighted = 0.5 * FIRST + 1.5 * SECOND
    assert found.pop() == "Keras smooths class probabilities, and no class indices"
    assert found == pytest.approx([FIRST + SECOND, FIRST, smoothed, weighted, FIRST + SECOND], rel=1e-6)
    assert f"in this process Keras runs on {engine} already" in refused


@pytest.mark.framework
@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        "keras_tensorflow:xla",
        *(pytest.param(each, marks=pytest.mark.nightly) for each in ("keras_jax", "keras_torch:compile")),
    ],
)
def test_the_loss_class_is_compiled_by_the_compiler_of_its_engine(spec: str) -> None:
    for needed in ("keras", spec.partition(":")[0].removeprefix("keras_")):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    done = subprocess.run([sys.executable, "-c", COMPILED, spec], cwd=ROOT, capture_output=True, text=True, check=True)
    compiled, uncompiled, value, gradient = json.loads(done.stdout.splitlines()[-1])
    assert (compiled, uncompiled) == (1, 0)
    assert (value, gradient) == pytest.approx((FIRST + SECOND, math.expm1(-FIRST)), rel=1e-5)

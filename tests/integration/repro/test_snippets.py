"""Every template gives the bits of its adapter: a case for each feature, in each execution and composition."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Call, Unsupported
from conformance.backends.discovery import create, names, profile
from conformance.cases.expand import expand
from conformance.cases.load import Entry, load_suite
from conformance.model.backend import BackendRecord
from conformance.model.dtypes import DTYPES
from conformance.model.outcome import Outcome
from conformance.model.problem import Problem
from conformance.repro.script import reproducer
from conformance.repro.snippets import Snippets
from conformance.run.chunk import request_of, transform_request
from conformance.worker.layouts import arrange, can_broadcast
from tests.support.reproducers import opened, run_together

CASES = (
    """\
theme: features
cases:
  - {id: softmax, why: w, op: softmax, logits: [[0.5, 2, -1.5], [1, 0, 1]], axis: -1, LAYOUTS, TRANSFORMS}
  - {id: default-axis, why: w, op: softmax, logits: [[[0.5, 2], [1, 0]], [[1, 3], [0, 1]]], axis: default}
  - {id: log-softmax, why: w, op: log_softmax, logits: [[0.5, 2, -1.5], [.inf, 0, 1]], axis: 0, dtypes: [bfloat16]}
  - {id: large, why: w, op: log_softmax, logits: {distribution: normal, shape: [3, 800], seed: 4}, dtypes: [float16]}
  - {id: constant, why: w, op: softmax, logits: {distribution: constant, shape: [2, 300], offset: 0.3}}
  - {id: one-number, why: w, op: softmax, logits: 3, axis: 0}
  - {id: empty, why: w, op: softmax, logits: {distribution: constant, shape: [0, 3]}}
  - {id: masked, why: w, op: softmax, logits: [[0.5, 2, -1.5], [1, 0, 1]], where: [[1, 1, 0], [0, 1, 1]]}
  - {id: nll, ONCE, op: nll_loss, log_probabilities: [[-1, -2, -0.5], [-0.1, -3, -4]], targets: [2, 0]}
  - {id: nll-weighted, ONCE, op: nll_loss, log_probabilities: [[-1, -2, -0.5], [-0.1, -3, -4]], targets: [2, 9],
     weight: [0.5, 1.25, 2], ignore_index: 9}
  - {id: composed, ONCE, op: nll_loss_of_log_softmax, logits: [[0.5, 2, -1.5], [1, 0, 1]], targets: [2, 0]}
  - {id: image, why: w, op: cross_entropy, logits: {distribution: uniform, shape: [2, 2, 3], seed: 1, scale: 3},
     targets: [[1, 0], [2, 2]], axis: -1, REDUCED, TRANSFORMS, LAYOUTS}
  - {id: weighted, why: w, op: cross_entropy, logits: [[0.5, 2, -1.5], [1, 0, 1]], targets: [0, -100],
     weight: [0.5, 1.25, 2], ignore_index: -100, label_smoothing: 0.25, REDUCED, TRANSFORMS}
  - {id: weights, ONCE, op: cross_entropy, logits: [[0.5, 2, -1.5], [1, 0, 1]], targets: [0, 2], weight: [0.5, 1.25, 2]}
  - {id: smoothed, ONCE, op: cross_entropy, logits: [[0.5, 2, -1.5], [1, 0, 1]], targets: [0, 2],
     label_smoothing: 0.25}
  - {id: probable, why: w, op: cross_entropy, logits: [[0.5, 2, -1.5], [1, 0, 1]], REDUCED,
     targets: [[0.5, 0.25, 0.25], [0, 1, 0]], transforms: [forward-mode, second-order, target-gradient,
     second-backward]}
  - {id: probable-along-0, ONCE, op: cross_entropy, logits: [[0.5, 2], [1, 0], [1, 3]], axis: 0,
     targets: [[0.5, 0.25], [0, 0.5], [0.5, 0.25]], label_smoothing: 0.125}
  - {id: mixed, ONCE, op: cross_entropy, logits: [[0.5, 2, -1.5], [1, 0, 1]], dtypes: [float32],
     targets: [[0.5, 0.25, 0.25], [0, 1, 0]], target_dtype: float64, transforms: [forward-mode, second-order,
     vectorised-map, target-gradient, second-backward]}
  - {id: log-loss, why: w, op: log_loss, probabilities: [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], targets: [0, 2],
     weight: [0.5, 1.25, 2], reductions: [sum, mean, default]}
  - {id: loss-masked, ONCE, op: cross_entropy, logits: [[0.5, 2, -1.5], [1, 0, 1]], targets: [0, 2],
     where: [[1, 1, 0], [0, 1, 1]]}
""".replace("LAYOUTS", "layouts: [contiguous, transposed, sliced, reversed, misaligned]")
    .replace("TRANSFORMS", "transforms: [forward-mode, second-order, vectorised-map]")
    .replace("REDUCED", "reductions: [none, sum, mean, default]")
    .replace("ONCE", "why: w, reductions: [none]")
    .replace("why: w", "why: a feature of the call")
)
KERNEL = """\
import numpy

from conformance.backends.adapters.numpy import Numpy


class Kernel(Numpy):
    def log_softmax(self, logits, *, axis, where=None):
        numbers = logits.astype(numpy.float64)
        return (numbers - numpy.logaddexp.reduce(numbers, axis, keepdims=True)).astype(logits.dtype)
"""
SPECS = {
    "torch": ("torch", "torch:module", "torch:func", "torch:compile", "torch:autocast-bfloat16"),
    "jax": ("jax", "jax:eager", "jax:logsumexp", "jax:one-hot", "optax", "optax:safe"),
    "tensorflow": ("tensorflow", "tensorflow:graph", "tensorflow:xla", "tensorflow:dynamic"),
    # Of Keras's engines the one: a process has no second, and their templates are one.
    "keras_torch": ("keras_torch", "keras_torch:function"),
    "scipy": ("scipy",),
    "sklearn": ("sklearn",),
    "onnx": ("onnx", "onnx:opset12", "onnxruntime", "onnxruntime:opset12", "onnxruntime:static"),
    "openvino": ("openvino", "openvino:static"),
    "mlx": ("mlx", "mlx:precise"),
    "tinygrad": ("tinygrad", "tinygrad:sparse"),
    "liger_kernel": ("liger",),
    "paddle": ("paddle",),
}
#: Of a variant, what its template writes in another way: the first each time, all at night.
FEW = {
    "torch:module": ("softmax", "log-softmax", "nll-weighted", "composed", "weighted"),
    "torch:func": ("probable", "image"),
    "torch:compile": ("probable", "image"),
    "torch:autocast-bfloat16": ("weighted", "image", "probable", "softmax"),
    "jax:eager": ("softmax", "image", "probable"),
    "jax:logsumexp": ("image", "smoothed"),
    "jax:one-hot": ("image",),
    "optax:safe": ("probable", "mixed"),
    "onnx:opset12": ("softmax", "weighted", "image"),
    "onnxruntime:opset12": ("softmax", "weighted", "image"),
    "onnxruntime:static": ("softmax", "weighted", "image"),
    "openvino:static": ("softmax", "weighted", "image"),
    "tensorflow:graph": ("softmax", "image", "probable"),
    "tensorflow:xla": ("softmax", "image", "probable"),
    "tensorflow:dynamic": ("softmax", "image", "probable"),
    "mlx:precise": ("softmax",),
    "tinygrad:sparse": ("image", "smoothed"),
}
#: Whose transforms and layouts are another's: values and a gradient of every case each time, all at night.
DERIVED = ("optax", "keras_torch", "keras_torch:function")
#: Each check's method of the contract, what it takes beside the logits, and which of its results is compared.
METHODS = {
    "value": ("evaluate", (), None),
    "gradient": ("differentiate", ("upstream",), 1),
    "forward-mode": ("jvp", ("tangent",), 1),
    "second-order": ("hvp", ("upstream", "tangent"), None),
    "vectorised-map": ("vmap", ("upstream",), 1),
    "target-gradient": ("target_gradient", ("upstream",), None),
    "second-backward": ("second_vjp", ("tangent", "upstream"), None),
}
RESULTS = {
    "forward-mode": "jvp",
    "second-order": "hvp",
    "vectorised-map": "gradient",
    "target-gradient": "target_gradient",
    "second-backward": "gradient",
}


@dataclass(frozen=True)
class Shown:
    """A check of a case, its script, and what the adapter gives: the bits, or what it raises."""

    name: str
    script: str
    gives: str
    raises: bool


@pytest.mark.framework
@pytest.mark.slow
@pytest.mark.first
@pytest.mark.parametrize("variants", ["some", pytest.param("all", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("family", SPECS)
def test_every_template_gives_the_bits_of_its_adapter(family: str, variants: str, tmp_path: Path) -> None:
    specs = [spec for spec in SPECS[family] if find_spec(profile(spec.partition(":")[0])["framework"]) is not None]
    if not specs:
        pytest.skip(f"{family} is not installed")
    imported = sys.modules.get("keras")  # as TensorFlow's own tests have it
    if family == "keras_torch" and imported is not None and imported.backend.backend() != "torch":
        pytest.skip("this process has Keras on another engine, and can have no second")
    suite = _suite(tmp_path)
    shown = {spec: list(_shown(spec, suite, variants == "all")) for spec in specs}
    assert all(shown.values())
    together = [each for spec in specs for each in shown[spec]]
    _assert_equal_bits(together, tmp_path)
    assert not any("conformance" in each.script for each in together)


def test_a_numpy_kernel_gives_the_bits_of_its_adapter_without_the_suite(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.py"
    kernel.write_text(KERNEL)
    shown = _shown(str(kernel), _suite(tmp_path), True)
    alone = [each for each in shown if "conformance" not in each.script]
    assert {"composed", "log-softmax", "large"} <= {each.name.split(": ")[1].split(",")[0] for each in alone}
    _assert_equal_bits(alone, tmp_path)


def _suite(folder: Path) -> Sequence[Entry]:
    (folder / "notes.yaml").write_text("flags: {}\n")
    (folder / "features.yaml").write_text(CASES)
    return load_suite([folder]).entries


def _assert_equal_bits(shown: Sequence[Shown], folder: Path) -> None:
    wrong = [
        f"{each.name}: {raised or 'other bits'}\n{each.script}\n{printed}"
        for each, (printed, raised) in zip(shown, run_together(shown, folder), strict=True)
        if (
            _unnumbered(raised) != _unnumbered(each.gives)
            if each.raises
            else raised or printed.splitlines()[-1] != each.gives
        )
    ]
    assert not wrong, f"{len(wrong)} of {len(shown)}\n" + "\n".join(wrong)


def _unnumbered(error: str) -> str:
    """An error without the numbers of nodes: OpenVINO counts those of its process."""
    return re.sub(r"(?<=[a-z])_\d+\b", "", error)


def _shown(spec: str, suite: Sequence[Entry], whole: bool) -> Iterator[Shown]:
    record, backend = opened(spec).record, create(spec)
    few = FEW.get(spec, tuple(entry.case.id for entry in suite))
    taken = (
        profile(name).get("dtypes", {}).get("value", DTYPES) if (name := spec.partition(":")[0]) in names() else DTYPES
    )
    checks = _checks if whole else _fewest if spec in FEW else _plain if spec in DERIVED else _checks
    for entry in suite:
        if entry.case.id not in (few if whole or spec not in FEW else few[:1]):
            continue
        for problem in (each for each in _problems(entry) if each.dtype in taken):
            for reduction in problem.reductions:
                for check in checks(problem, reduction):
                    given = _given(backend, problem, reduction, check)
                    if given is not None:
                        name = f"{spec}: {entry.case.id}, {problem.dtype}, {problem.layout}, {reduction}, {check}"
                        script, gives = _script(entry, problem, reduction, check, record, given)
                        yield Shown(name, script, gives, isinstance(given, str))


def _checks(problem: Problem, reduction: str) -> tuple[str, ...]:
    """All in one layout, dtype and reduction; of the others what their inputs and the value show."""
    if reduction == "default":
        return ("value",)
    if problem.dtype != "float32" or problem.layout != "contiguous":
        return ("value",) if reduction == problem.reductions[0] else ()
    return ("value", "gradient", *problem.case.transforms) if reduction == problem.reductions[0] else ("value",)


def _plain(problem: Problem, reduction: str) -> tuple[str, ...]:
    """The value in each reduction, and the gradient once."""
    if (problem.dtype, problem.layout) != ("float32", "contiguous"):
        return ()
    return ("value", "gradient") if reduction == problem.reductions[0] else ("value",)


def _fewest(problem: Problem, reduction: str) -> tuple[str, ...]:
    """Value and gradient, once."""
    first = (problem.dtype, problem.layout, reduction) == ("float32", "contiguous", problem.reductions[0])
    return ("value", "gradient") if first else ()


def _problems(entry: Entry) -> list[Problem]:
    """In one dtype, and in a half type where the layouts are more than one, as these go through NumPy."""
    found = expand(entry).problems
    dtypes = ("float32", "bfloat16") if len(entry.case.layouts) > 1 else ("float32",)
    chosen = [each for each in found if each.dtype in dtypes]
    return chosen or found[:1]


def _given(backend: Any, problem: Problem, reduction: str, check: str) -> Any:
    """What the adapter gives or raises; None where it lacks the feature, or where there is nothing to ask for."""
    if check in ("value", "gradient"):
        request = request_of(problem, reduction, 0, gradient=True, repeat=False)
        if check == "gradient" and request.upstream is None:
            return None
    else:
        request = transform_request(problem, check, reduction, 0)  # type: ignore[arg-type]
    method, takes, place = METHODS[check]

    def tensor(array: Any) -> Any:
        if not isinstance(array, np.ndarray):
            return array
        fits = problem.layout != "broadcast" or can_broadcast(array)
        return backend.tensor(arrange(array, problem.layout if fits else "contiguous"))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = Call(request.operation, {k: tensor(v) for k, v in request.operands.items()}, request.options)  # type: ignore[arg-type]
            others = [tensor(getattr(request, name)) for name in takes]
            results = getattr(backend, method)(call, tensor(request.logits), *others)
    except Unsupported:
        return None
    except Exception as error:
        return None if "'where'" in str(error) else f"{type(error).__name__}: {error}"
    return backend.array(results if place is None else results[place])


def _script(
    entry: Entry, problem: Problem, reduction: str, check: str, record: BackendRecord, given: Any
) -> tuple[str, str]:
    outcome = Outcome(
        case=entry.case.id,
        backend=record.name,
        dtype=problem.dtype,
        layout=problem.layout,
        op=problem.operation,
        reduction=reduction,
        check=check,
        verdict="pass",
    )
    script = reproducer(entry, outcome, record).text
    template = Snippets(record.profile, execution="", composition="", device="cpu")
    expression = template.text("to_numpy", name=RESULTS.get(check, check), dtype=problem.dtype)
    if isinstance(given, str):
        return script, given
    bits = given.astype(np.float32) if given.dtype.name == "bfloat16" else given
    shown = (
        f"import numpy as np\nprint(({expression}).astype('{bits.dtype.name}').tobytes().hex(), ({expression}).shape)\n"
    )
    return script + shown, f"{bits.tobytes().hex()} {given.shape}"

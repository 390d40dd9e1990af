"""Every adapter gives the definition's numbers, in its own shapes and dtypes, or says that it cannot."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Call, Unsupported
from conformance.backends.discovery import find, names, profile
from tests.support.adapters import backend_of, numpy_dtype, options
from tests.support.turns import covering

OPERATIONS = ("softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss")
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "float16": 1e-2, "bfloat16": 8e-2}
#: Which compute in float32 whatever the dtype is, as their registers say.
IN_FLOAT32 = ("openvino",)
MODES = ("torch:module", "torch:compile", "torch:compile:module", "jax:eager", "jax:logsumexp", "jax:one-hot")
MODES += ("jax:eager:one-hot", "optax:eager")
GRAPHS = ("tensorflow:graph", "tensorflow:xla")
#: Those of the suite that are always asked, and whatever else is here. Of Keras a process can hold one engine,
#: scikit-learn takes nothing of rank 3, and a process is a rank of one backend.
ALWAYS = ("numpy", "torch", "jax", "optax", "tensorflow")
ALONE = ("keras_", "sklearn", "loss_parallel")
TOGETHER = [
    each
    for each in names()
    if each in ALWAYS or (not each.startswith(ALONE) and importlib.util.find_spec(profile(each)["framework"]))
]
SHAPE = (2, 3, 4)
WEIGHT = [0.5, 2.0, 1.25, 3.0]


def reference(op: str, x: Any, targets: Any, axis: int, reduction: str, **stated: Any) -> Any:
    """The definition, term by term, also for complex ``x``."""
    x = np.moveaxis(x, axis, -1)
    log_probabilities = np.log(x) if op == "log_loss" else x - np.log(np.exp(x).sum(-1, keepdims=True))
    if op in ("softmax", "log_softmax"):
        return np.moveaxis(np.exp(log_probabilities) if op == "softmax" else log_probabilities, -1, axis)
    classes = x.shape[-1]
    w = np.asarray(stated.get("weight", np.ones(classes)), float)
    smoothing = stated.get("label_smoothing", 0.0)
    if targets.ndim == x.ndim:
        q, divisor = np.moveaxis(targets, axis, -1).astype(float), targets.size / classes
    else:
        valid = targets != stated.get("ignore_index", -100)
        q = np.eye(classes)[np.where(valid, targets, 0)] * valid[..., None]
        divisor = (q * w).sum()
    a = w * ((1 - smoothing) * q + smoothing / classes * (q.sum(-1, keepdims=True) > 0))
    losses = -(a * (x if op == "nll_loss" else log_probabilities)).sum(-1)
    return losses if reduction == "none" else losses.sum() / (divisor if reduction == "mean" else 1)


def derivative(upstream: Any, op: str, x: Any, *arguments: Any, **stated: Any) -> Any:
    """The reference's gradient by complex steps: no formula in common with any backend, no cancellation."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        z = x.astype(complex)
        z[place] += 1e-30j
        gradient[place] = (upstream * reference(op, z, *arguments, **stated)).sum().imag / 1e-30
    return gradient


def problem(op: str, dtype: str, axis: int, probabilities: bool = False) -> tuple[Any, Any]:
    """Logits (log-probabilities for nll_loss, probabilities for log_loss) and targets for ``SHAPE``."""
    rng = np.random.default_rng(7)
    x = rng.normal(scale=2.0, size=SHAPE)
    if op in ("nll_loss", "log_loss"):
        x = reference("log_softmax" if op == "nll_loss" else "softmax", x, None, axis, "none")
    positions = [extent for place, extent in enumerate(SHAPE) if place != axis % 3]
    y: Any = rng.integers(0, SHAPE[axis], positions)
    if probabilities:
        y = reference("softmax", rng.normal(size=SHAPE), None, axis, "none").astype(numpy_dtype(dtype))
    return x.astype(numpy_dtype(dtype)), y


def check(
    spec: str, op: str, dtype: str, axis: int, reduction: str, probabilities: bool = False, **stated: Any
) -> None:
    backend = backend_of(spec)
    x, y = problem(op, dtype, axis, probabilities)
    operands = {} if op in ("softmax", "log_softmax") else {"targets": backend.tensor(y)}
    arguments = dict(stated)
    if "weight" in arguments:
        operands["weight"] = backend.tensor(np.asarray(arguments.pop("weight"), x.dtype))
    call = Call(op, operands, options(op, axis, reduction, **arguments))  # type: ignore[arg-type]
    value = backend.array(backend.evaluate(call, backend.tensor(x)))
    expected = reference(op, x.astype(float), y, axis, reduction, **stated)
    assert value.shape == expected.shape and value.dtype == x.dtype
    tolerance = max(TOLERANCE[dtype], TOLERANCE["float32"] * (spec in IN_FLOAT32))
    np.testing.assert_allclose(value.astype(float), expected, rtol=tolerance, atol=tolerance)
    upstream = np.asarray(np.random.default_rng(8).normal(size=expected.shape)).astype(x.dtype)
    if profile(spec.partition(":")[0])["features"]["gradient"] == "unsupported":
        with pytest.raises(Unsupported, match="differentiation"):
            backend.differentiate(call, backend.tensor(x), backend.tensor(upstream))
        return
    again, gradient = backend.differentiate(call, backend.tensor(x), backend.tensor(upstream))
    np.testing.assert_allclose(backend.array(again).astype(float), expected, rtol=tolerance, atol=tolerance)
    wanted = derivative(upstream.astype(float), op, x.astype(float), y, axis, reduction, **stated)
    observed = backend.array(gradient)
    assert observed.shape == x.shape and observed.dtype == x.dtype
    np.testing.assert_allclose(observed.astype(float), wanted, rtol=tolerance, atol=tolerance)


def supported(spec: str, op: str) -> bool:
    name, *words = spec.split(":")
    declared = profile(name)["operations"]
    needed = ("log_softmax", "nll_loss") if op == "nll_loss_of_log_softmax" else (op,)
    one_only = not {"logsumexp", "one-hot"}.isdisjoint(words) and op != "cross_entropy"
    return not one_only and all(
        declared.get(each, {"support": "unsupported"})["support"] != "unsupported" for each in needed
    )


def asked_in(name: str, op: str, dtype: str) -> bool:
    """Whether the profile has the dtype: in others nothing is asked."""
    declared = profile(name).get("dtypes", {}).get("value", TOLERANCE)
    if isinstance(declared, dict) and declared is not TOLERANCE:
        declared = declared.get(op, declared.get("all", TOLERANCE))
    return dtype in declared


#: Those that compile a program for each call.
COMPILED = ("jax", "optax")
AXES = (0, 1, -1)
REDUCTIONS = ("none", "sum", "mean")


def reductions_of(name: str, op: str, dtype: str, axis: int) -> tuple[str, ...]:
    """All that there are; of what is compiled one in turn, so that each dtype, and each axis, meets every one."""
    if "loss" not in op and op != "cross_entropy":
        return ("none",)
    turn = ([*TOLERANCE].index(dtype) - AXES.index(axis)) % len(REDUCTIONS)
    return (REDUCTIONS[turn],) if name in COMPILED else REDUCTIONS


@pytest.mark.parametrize(
    ("name", "op", "dtype", "axis"),
    covering(TOGETHER, OPERATIONS, TOLERANCE, AXES, whole=lambda name, *row: name not in COMPILED),
)
def test_value_and_gradient(name: str, op: str, dtype: str, axis: int) -> None:
    for reduction in reductions_of(name, op, dtype, axis) if asked_in(name, op, dtype) else ():
        if supported(name, op):
            check(name, op, dtype, axis, reduction)
        else:
            with pytest.raises(Unsupported):
                check(name, op, dtype, axis, reduction)


@pytest.mark.nightly
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("name", "op"), [(name, op) for name in COMPILED for op in OPERATIONS if "loss" in op or op == "cross_entropy"]
)
def test_the_other_reductions_of_what_is_compiled(name: str, op: str, dtype: str, axis: int) -> None:
    for reduction in {*REDUCTIONS} - {*reductions_of(name, op, dtype, axis)}:
        if supported(name, op):
            check(name, op, dtype, axis, reduction)


@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("spec", MODES + GRAPHS)
def test_other_modes(spec: str, op: str) -> None:
    if supported(spec, op):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # compilers deprecate their own parts
            check(spec, op, "float64", 1, "mean")
    else:
        with pytest.raises(Unsupported):
            check(spec, op, "float64", 1, "mean")


FEATURES: dict[str, dict[str, Any]] = {
    "weight": {"weight": WEIGHT},
    "ignore_index": {"ignore_index": 1},
    "label_smoothing": {"label_smoothing": 0.3},
    "all": {"weight": WEIGHT, "ignore_index": 1, "label_smoothing": 0.3},
}


#: The features by which a library's losses are others than the definition's, as its register or its policies say.
OTHERWISE = {"paddle": {"label_smoothing", "probability_targets weight"}}


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", TOGETHER)
def test_features_are_right_or_unsupported(name: str, feature: str, reduction: str) -> None:
    declared = profile(name)["features"]
    if not OTHERWISE.get(name, set()).isdisjoint(FEATURES[feature]):
        pytest.skip("what is wrong is the register's to say")
    if any(declared[each] == "unsupported" for each in FEATURES[feature]):
        with pytest.raises(Unsupported):
            check(name, "cross_entropy", "float64", -1, reduction, **FEATURES[feature])
    else:
        check(name, "cross_entropy", "float64", -1, reduction, **FEATURES[feature])


@pytest.mark.parametrize("stated", [{}, {"label_smoothing": 0.3}, {"weight": WEIGHT}], ids=str)
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", TOGETHER)
def test_class_probabilities(name: str, axis: int, stated: dict[str, Any]) -> None:
    if profile(name)["features"]["probability_targets"] == "unsupported":
        pytest.skip("where the profile says that it takes none, it is not asked for any")
    if not OTHERWISE.get(name, set()).isdisjoint({*stated, *(f"probability_targets {each}" for each in stated)}):
        pytest.skip("what is wrong is the register's to say")
    if axis == 0 and "weight" in stated:
        stated = {"weight": WEIGHT[:2]}
    if any(profile(name)["features"][each] == "unsupported" for each in stated):
        with pytest.raises(Unsupported):
            check(name, "cross_entropy", "float64", axis, "mean", True, **stated)
    else:
        check(name, "cross_entropy", "float64", axis, "mean", True, **stated)


@pytest.mark.parametrize("op", ["softmax", "log_softmax", "nll_loss", "cross_entropy"])
@pytest.mark.parametrize("name", TOGETHER)
def test_default_axis_and_reduction_are_those_of_the_profile(name: str, op: str) -> None:
    if not supported(name, op):
        pytest.skip("unsupported")
    backend, policies = backend_of(name), profile(name)["policies"]
    axis = policies["default-axis"]["value"][op]
    axis = 0 if axis == "implicit" else axis  # rank 3
    x, y = problem(op, "float64", 0 if axis == "all" else axis)
    operands = {} if op in ("softmax", "log_softmax") else {"targets": backend.tensor(y)}
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        value = backend.evaluate(Call(op, operands, options(op, None)), backend.tensor(x))  # type: ignore[arg-type]
    if axis == "all":
        expected = reference(op, x.reshape(-1), y, 0, "none").reshape(x.shape)
    else:
        expected = reference(op, x, y, axis, policies["default-reduction"]["value"])
    tolerance = TOLERANCE["float32" if name in IN_FLOAT32 else "float64"]
    np.testing.assert_allclose(backend.array(value).astype(float), expected, rtol=tolerance, atol=tolerance)
    implicit = policies["default-axis"]["value"][op] == "implicit"
    assert any("Implicit dimension" in str(each.message) for each in raised) == implicit


#: Whose losses need a batch.
BATCHED = ("onnx", "onnxruntime", "openvino")


@pytest.mark.parametrize("name", TOGETHER)
def test_one_position_without_a_batch(name: str) -> None:
    if not supported(name, "cross_entropy"):
        pytest.skip("unsupported")
    backend = backend_of(name)
    call = Call("cross_entropy", {"targets": backend.tensor(np.array(1))}, options("cross_entropy", 0, "none"))
    if name in BATCHED:
        with pytest.raises(Unsupported, match="a batch"):
            backend.evaluate(call, backend.tensor(np.array([1.2, 2.4, 3.6])))
        return
    value = backend.array(backend.evaluate(call, backend.tensor(np.array([1.2, 2.4, 3.6]))))
    assert value.shape == () and value == pytest.approx(1.5306784602098737, abs=1e-12)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", TOGETHER)
def test_arrays_come_back_as_they_went(name: str, dtype: str) -> None:
    backend = backend_of(name)
    for array in (np.arange(6.0).reshape(2, 3).astype(numpy_dtype(dtype)), np.asarray(3.0).astype(numpy_dtype(dtype))):
        for view in (array, array.T):
            back = backend.array(backend.tensor(view))
            assert back.dtype == view.dtype and back.shape == view.shape and (back == view).all()


@pytest.mark.parametrize("spec", [*TOGETHER, "jax:logsumexp", "torch:cpu:module"])
def test_versions_settings_and_profile(spec: str) -> None:
    backend, found = backend_of(spec), find(spec)
    assert next(iter(backend.versions())) == found.framework
    for text in (*backend.versions().values(), *backend.settings().values()):
        assert isinstance(text, str) and text
    assert backend.settings()["flush to zero"] == str(_subnormals(spec) == "flushed").lower()
    assert backend.options() == found.options and type(backend).profile == found.profile


def _subnormals(spec: str) -> str:
    value = profile(spec.partition(":")[0])["policies"]["subnormal-results"]["value"]
    return str(value["float32"] if isinstance(value, dict) else value)

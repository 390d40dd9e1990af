"""Every adapter's transforms give the definition's numbers, by the framework's own machinery."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Backend, Call, Unsupported
from conformance.backends.discovery import create
from conformance.backends.errors import BackendLookupError

SPECS = ("torch", "torch:module", "torch:func", "jax", "jax:eager", "optax", "tensorflow", "tensorflow:graph")
X = np.array([[1, 2, 0.5, -1], [0, -1.5, 3, 0.25], [2, 2.5, -0.75, 1]], np.float64)
Y = np.array([1, 0, 3], np.int64)
T = np.array([[0.5, -1, 2, 0.25], [1.5, 0, -0.5, 1], [-2, 0.75, 1, 1]], np.float64)
P = np.exp(X) / np.exp(X).sum(1, keepdims=True)
MOVED = P * (T - (P * T).sum(1, keepdims=True))


@pytest.fixture(params=SPECS)
def backend(request: pytest.FixtureRequest) -> Backend:
    try:
        return create(request.param, threads=1)
    except BackendLookupError as error:
        pytest.skip(str(error))


def call_of(backend: Backend, reduction: str, axis: int = 1) -> Call:
    stated: dict[str, Any] = {"axis": axis, "ignore_index": None, "label_smoothing": None, "reduction": reduction}
    return Call("cross_entropy", {"targets": backend.tensor(Y)}, tuple(stated.items()))


# PyTorch scripts its rules for forward mode when they are first needed, by what it has itself deprecated.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_mode(backend: Backend) -> None:
    value, jvp = backend.jvp(call_of(backend, "none"), backend.tensor(X), backend.tensor(T))
    rows = np.arange(3)
    np.testing.assert_allclose(backend.array(value), -np.log(P[rows, Y]), rtol=1e-12)
    np.testing.assert_allclose(backend.array(jvp), (P * T).sum(1) - T[rows, Y], rtol=1e-11)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_second_order(backend: Backend, reduction: str) -> None:
    upstream = np.array(-1.5)
    product = backend.hvp(call_of(backend, reduction), backend.tensor(X), backend.tensor(upstream), backend.tensor(T))
    scale = upstream / (3 if reduction == "mean" else 1)
    np.testing.assert_allclose(backend.array(product), scale * MOVED, rtol=1e-10, atol=1e-13)


def test_vectorised_map(backend: Backend) -> None:
    upstream = np.array([0.5, -1.5, 2.0])
    one = call_of(backend, "none", axis=0)
    value, gradient = backend.vmap(one, backend.tensor(X), backend.tensor(upstream))
    np.testing.assert_allclose(backend.array(value), -np.log(P[np.arange(3), Y]), rtol=1e-12)
    wanted = upstream[:, None] * (P - np.eye(4)[Y])
    np.testing.assert_allclose(backend.array(gradient), wanted, rtol=1e-10, atol=1e-13)


def test_second_backward_pass_has_forgotten_the_first(backend: Backend) -> None:
    call = Call("cross_entropy", {"targets": backend.tensor(Y[1:2])}, call_of(backend, "none").options)
    logits = backend.tensor(np.array([[0.5, -0.25, 2]]))
    former, upstream = backend.tensor(np.array([2.0])), backend.tensor(np.array([1.0]))
    gradient = backend.array(backend.second_vjp(call, logits, former, upstream))
    wanted = [[-0.8320472526115132, 0.079335260307281968, 0.75271199230423124]]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_what_is_written_to_a_tensor_is_there_for_the_next_call(backend: Backend, dtype: str) -> None:
    tensor = backend.tensor(T.astype(dtype))
    scalar = backend.tensor(np.array(2, np.float32))
    other = np.flip(backend.array(tensor)).copy()
    if backend.framework != "torch":
        with pytest.raises(Unsupported, match="cannot be written to"):
            backend.fill(tensor, other)
        return
    backend.fill(tensor, other)
    backend.fill(scalar, np.array(-0.5, np.float32))
    assert backend.array(tensor).tobytes() == other.tobytes()
    assert float(backend.array(scalar)) == -0.5


def test_numpy_offers_none() -> None:
    backend = create("numpy", threads=1)
    call = call_of(backend, "mean")
    for transform in (
        lambda: backend.jvp(call, X, T),
        lambda: backend.hvp(call, X, np.array(1.0), T),
        lambda: backend.vmap(call, X, np.ones(3)),
        lambda: backend.second_vjp(call, X, np.array(2.0), np.array(1.0)),
    ):
        with pytest.raises(Unsupported):
            transform()


def test_the_safe_loss_of_optax_takes_probabilities_only() -> None:
    pytest.importorskip("optax")
    backend = create("optax:safe", threads=1)
    with pytest.raises(Unsupported):
        backend.evaluate(call_of(backend, "none"), backend.tensor(X))
    stated: dict[str, Any] = {"axis": -1, "ignore_index": None, "label_smoothing": None, "reduction": "none"}
    call = Call("cross_entropy", {"targets": backend.tensor(np.eye(4)[Y])}, tuple(stated.items()))
    np.testing.assert_allclose(backend.array(backend.evaluate(call, backend.tensor(X))), -np.log(P[np.arange(3), Y]))


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_gradient_by_the_targets(backend: Backend, reduction: str) -> None:
    upstream = np.array([0.5, -1.5, 2.0]) if reduction == "none" else np.array(-1.5)
    call = call_of(backend, reduction)
    soft = Call(call.operation, {"targets": backend.tensor(P[::-1].copy())}, call.options)
    gradient = backend.target_gradient(soft, backend.tensor(X), backend.tensor(upstream))
    scale = upstream[:, None] if reduction == "none" else upstream / 3
    np.testing.assert_allclose(backend.array(gradient), -scale * np.log(P), rtol=1e-10)

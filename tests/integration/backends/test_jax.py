"""What JAX compiles and keeps, and where its two compositions differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.backends.adapters.jax import Jax
from conformance.backends.contract import Call, Setup
from tests.support.adapters import backend_of, options


@pytest.mark.framework
def test_jax_lets_go_of_what_it_compiled_for_former_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    from conformance.backends.runtimes import jax as runtime

    monkeypatch.setattr(runtime, "HELD", 2)
    backend = Jax()
    call = Call("softmax", {}, (("axis", -1),))
    for extent in (*range(2, 7), 2):
        logits = backend.tensor(np.zeros((1, extent), np.float32))
        (row,) = backend.array(backend.evaluate(call, logits))
        assert row.tolist() == pytest.approx([1 / extent] * extent)
        (function,) = backend._functions.values()
        assert function._cache_size() <= 2
    assert backend.runtime.counted.graphs == 6


def test_jax_keeps_what_it_compiles_in_the_folder_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables: dict[str, str] = {}
    monkeypatch.setattr("os.environ", variables)
    Jax.prepare(Setup(threads=2))
    assert variables["NPROC"] == "2" and "JAX_COMPILATION_CACHE_DIR" not in variables
    Jax.prepare(Setup(threads=2, cache=tmp_path))
    assert variables["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "jax")


def test_an_impossible_label_is_nan_when_picked_and_zero_as_one_hot() -> None:
    x, y = np.array([[0.0, -np.inf], [1.0, 1.0]]), np.array([0, 5])
    losses = {}
    for spec in ("jax", "jax:one-hot"):
        backend = backend_of(spec)
        call = Call("cross_entropy", {"targets": backend.tensor(y)}, options("cross_entropy", 1, "none"))
        losses[spec] = backend.array(backend.evaluate(call, backend.tensor(x)))
    assert losses["jax"][0] == losses["jax:one-hot"][0] == 0
    assert np.isnan(losses["jax"][1]) and losses["jax:one-hot"][1] == 0

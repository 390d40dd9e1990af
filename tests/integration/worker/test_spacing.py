"""A call of which the positions given are a sample: zeros between them, and their results alone come back."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.discovery import create
from conformance.worker.exchange import Observation, Request
from conformance.worker.limits import Limits
from conformance.worker.session import InlineSession, Session

LOGITS = np.array([[1.5, -2, 0.25], [3, 1, -1], [0.5, 0.5, 4]], np.float32)
OPTIONS = (("axis", 1), ("ignore_index", None), ("reduction", "none"))
OPERANDS = {"targets": np.array([2, 0, 1]), "weight": np.array([2, 3, 0.5], np.float32)}
SMALL = Request(0, "nll_loss", LOGITS, OPERANDS, OPTIONS, upstream=np.array([1.5, -2, 3], np.float32), repeat=True)
SPACED = msgspec.structs.replace(SMALL, spacing=5)
PLAIN = Request(0, "log_softmax", LOGITS, {}, (("axis", 1),), upstream=LOGITS * 2, repeat=True)


def observed(backend: Any, asked: Request) -> Observation:
    with closing(InlineSession(backend)) as session:
        (found,) = session.run([asked])
    return found


class Seen(Numpy):
    """Notes what it is given."""

    given: Any = None

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        self.given = log_probabilities.copy(), targets.copy(), options["weight"].copy()
        return super().nll_loss(log_probabilities, targets, **options)


def test_between_the_positions_lie_zeros() -> None:
    backend = Seen()
    observed(backend, SPACED)
    logits, targets, weight = backend.given
    assert (logits.shape, targets.shape, weight.tolist()) == ((11, 3), (11,), OPERANDS["weight"].tolist())
    assert (logits[::5] == LOGITS).all() and (targets[::5] == OPERANDS["targets"]).all()
    assert np.count_nonzero(logits) == np.count_nonzero(LOGITS) and np.count_nonzero(targets) == 2


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ("numpy", SMALL),
        *(pytest.param(each, PLAIN, marks=pytest.mark.framework) for each in ("torch", "jax", "tensorflow")),
    ],
)
def test_the_results_are_those_of_the_positions(spec: str, asked: Request) -> None:
    backend = create(spec, threads=1)
    small, spaced = observed(backend, asked), observed(backend, msgspec.structs.replace(asked, spacing=5))
    assert small.value is not None and small.gradient is not None
    assert spaced.value is not None and spaced.gradient is not None
    np.testing.assert_allclose(spaced.value, small.value, rtol=1e-6)
    np.testing.assert_allclose(spaced.gradient, small.gradient, rtol=1e-6)
    assert spaced.repeatable and not spaced.modified and spaced.failure is None


class Writes(Numpy):
    """Writes to the logits."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        value = super().nll_loss(log_probabilities, targets, **options)
        log_probabilities[...] = 7
        return value


def test_what_is_written_to_the_positions_is_seen() -> None:
    assert observed(Writes(), SPACED).modified == ("logits",)


class OfAnotherExtent(Numpy):
    """Gives so many positions more, or fewer."""

    more: int

    def log_softmax(self, logits: Any, *, axis: int) -> Any:
        whole = super().log_softmax(logits, axis=axis)
        return np.concatenate((whole, np.full((2 * len(whole), *whole.shape[1:]), 7)))[: len(whole) + self.more]


@pytest.mark.parametrize("more", [-5, -1, 0, 1, 4, 5, 9])
def test_a_result_of_another_extent_has_not_the_shape_of_the_positions(more: int) -> None:
    backend = OfAnotherExtent()
    backend.more = more
    found = observed(backend, msgspec.structs.replace(PLAIN, upstream=None, spacing=5))
    assert found.value is not None and (found.value.shape == LOGITS.shape) is (more == 0)


def test_a_call_that_has_no_room_is_unsupported() -> None:
    with closing(Session("numpy", limits=Limits())) as session:
        (found,) = session.run([msgspec.structs.replace(SPACED, spacing=2**50)])
    assert found.failure is not None and found.failure.kind == "unsupported"
    assert found.failure.message.startswith("there is too little address space for positions far apart")

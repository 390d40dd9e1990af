"""OpInfo's samples, as PyTorch's test_ops.py and test_ops_gradients.py hold them.

Re-created: ``test_compare_cpu`` (values in float32, against PyTorch's on the processor), ``test_noncontiguous_samples``
(values and gradients of operands with a stride), ``test_fn_grad``, ``test_fn_gradgrad`` and ``test_forward_mode_AD``
(PyTorch's own gradcheck in float64, in its fast mode, which is what its tests do by default). Not re-created: tests of
what a backend here has not, such as ``out=``, in-place variants, the JIT, autocast, fake tensors and batched gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.backends.contract import Backend, Unsupported
from conformance.foreign import opinfo
from conformance.foreign.call import ForeignCall
from tests.yardstick.peers.gradcheck import derivative_checks
from tests.yardstick.peers.rule import Asked, Rule, quiet

__all__ = ["Derivatives", "Samples", "Values"]

#: A function of its own, which gives 0 where every logit is -inf: no backend here has it.
_OTHERS = ("_safe_softmax",)
_SEED = np.arange(1, 4096) * 0.618 % 1 + 0.1  # upstream gradients of no particular structure


class Samples:
    """The samples, drawn once for all rules."""

    def __init__(self) -> None:
        single, double = opinfo.take(), opinfo.take(dtype="float64")
        self.versions = single.versions
        self.single = [*_kept(single.calls)]
        self.double = [*{call.digest: call for call in _kept(double.calls)}.values()]  # gradcheck takes its time


def _kept(calls: list[ForeignCall]) -> Iterator[ForeignCall]:
    """Without those of other functions, and those that mask every class of a position, about which no policy is."""
    for call in calls:
        masked = call.where is not None and call.where.size and (call.where == 0).all(call.axis).any()
        if not masked and not any(name in call.source.test for name in _OTHERS):
            yield call


class Values(Rule):
    """``torch.testing.assert_close`` of values in float32, with ``rtol`` and ``atol``, or else its defaults."""

    source = "https://github.com/pytorch/pytorch/blob/main/test/test_ops.py"

    def __init__(self, samples: Samples, key: str, title: str, tolerance: tuple[float, float] | None = None) -> None:
        self.key, self.title, self._samples, self._tolerance = key, title, samples, tolerance

    def failure(self, backend: Backend) -> str:
        for call in self._samples.single:
            rtol, atol = self._tolerance or (call.rtol, call.atol)
            if not _agrees(backend, call, rtol, atol):
                return f"{call.source.test}: value"
        return ""


class Derivatives(Rule):
    """Operands with a stride, and PyTorch's gradcheck of first and second order and of forward mode."""

    key = "opinfo-derivatives"
    includes = "opinfo-values"
    title = "OpInfo samples: the same, and strides, gradcheck, gradgradcheck, forward mode"
    source = "https://github.com/pytorch/pytorch/blob/main/test/test_ops_gradients.py"
    checks = ("value", "gradient", "second-order", "forward-mode")

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def failure(self, backend: Backend) -> str:
        for call in self._samples.single:
            if not _strides_agree(backend, call):
                return f"{call.source.test}: noncontiguous"
        for call in self._samples.double:
            for name, check in derivative_checks(backend, call):
                try:
                    with quiet():
                        check()
                except Unsupported:
                    continue
                except Exception:
                    return f"{call.source.test}: {name}"
        return ""


def _agrees(backend: Backend, call: ForeignCall, rtol: float, atol: float) -> bool:
    try:
        with quiet():
            return _close(Asked(call).value(backend), call.value, rtol, atol)
    except Unsupported:
        return True
    except Exception:
        return False


def _strides_agree(backend: Backend, call: ForeignCall) -> bool:
    """Whether value and gradient are the same from operands with a stride."""
    results = []
    try:
        with quiet():
            for strided in (False, True):
                asked = Asked(call, strided=strided)
                results.append(asked.value(backend))
                upstream = np.resize(_SEED, results[-1].shape).astype(results[-1].dtype)
                gradient = backend.differentiate(asked.call, backend.tensor(asked.logits), backend.tensor(upstream))[1]
                results.append(np.asarray(backend.array(gradient)))
    except Unsupported:
        return True
    except Exception:
        return False
    value, slope, strided_value, strided_slope = results
    return _close(strided_value, value, call.rtol, call.atol) and _close(strided_slope, slope, call.rtol, call.atol)


def _close(actual: Any, expected: Any, rtol: float, atol: float) -> bool:
    """As ``torch.testing.assert_close`` with ``equal_nan``: shape, dtype, and |a − e| <= atol + rtol·|e|."""
    return (
        actual.shape == expected.shape
        and actual.dtype == expected.dtype
        and bool(np.allclose(actual, expected, rtol, atol, equal_nan=True))
    )

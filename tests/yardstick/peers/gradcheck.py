"""A backend's derivatives before PyTorch's own gradcheck, as those of an autograd Function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from conformance.backends.contract import Backend
from conformance.foreign.call import ForeignCall
from tests.yardstick.peers.rule import Asked, takes_mask

__all__ = ["derivative_checks"]


def derivative_checks(backend: Backend, call: ForeignCall) -> Iterator[tuple[str, Callable[[], object]]]:
    """The checks of a sample, by name; each raises what gradcheck raises, or Unsupported.

    With a mask of classes only the gradient is checked: the backends offer no other derivative there.
    """
    import torch

    if not call.logits.size or (call.where is not None and not takes_mask(backend, call.op)):
        return
    function, logits = _function(torch, backend, call), torch.tensor(call.logits, requires_grad=True)
    if call.where is not None:
        function = _within(torch, function, call)
    check = torch.autograd.gradcheck
    # What test_ops_gradients.py leaves to the defaults: eps 1e-6, atol 1e-5, rtol 1e-3. Gradients that are undefined
    # never reach the backend: PyTorch makes zeros of them before.
    common = {"fast_mode": True, "check_undefined_grad": False}
    yield "gradcheck", lambda: check(function, (logits,), **common)
    if call.where is None:
        forward = {**common, "check_forward_ad": True, "check_backward_ad": False}
        yield "forward mode", lambda: check(function, (logits,), **forward)
        if call.op != "nll_loss":  # it is linear
            yield "gradgradcheck", lambda: torch.autograd.gradgradcheck(function, (logits,), **common)


def _within(torch: Any, function: Callable[[Any], Any], call: ForeignCall) -> Callable[[Any], Any]:
    """As OpInfo's ``gradcheck_wrapper_masked_operation``: what the mask leaves out counts as 0."""
    mask = torch.from_numpy(np.asarray(call.where != 0))
    return lambda x: torch.where(mask, function(x), torch.zeros((), dtype=x.dtype))


def _function(torch: Any, backend: Backend, call: ForeignCall) -> Callable[[Any], Any]:
    def tensor(result: Any) -> Any:
        return torch.from_numpy(np.array(backend.array(result)))

    def operand(given: Any) -> Any:
        return backend.tensor(np.array(given.detach().numpy(), order="C"))

    class Gradient(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(x: Any, v: Any) -> Any:
            return tensor(backend.differentiate(Asked(call).call, operand(x), operand(v))[1])

        @staticmethod
        def setup_context(context: Any, inputs: Any, output: Any) -> None:
            context.save_for_backward(*inputs)

        @staticmethod
        def backward(context: Any, direction: Any) -> Any:
            x, v = context.saved_tensors
            made = Asked(call).call
            hvp = backend.hvp(made, operand(x), operand(v), operand(direction))
            return tensor(hvp), tensor(backend.jvp(made, operand(x), operand(direction))[1])

    class Value(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(x: Any) -> Any:
            return tensor(backend.evaluate(Asked(call).call, operand(x)))

        @staticmethod
        def setup_context(context: Any, inputs: Any, output: Any) -> None:
            context.save_for_backward(*inputs)
            context.save_for_forward(*inputs)

        @staticmethod
        def backward(context: Any, v: Any) -> Any:
            return Gradient.apply(context.saved_tensors[0], v)

        @staticmethod
        def jvp(context: Any, tangent: Any) -> Any:
            return tensor(backend.jvp(Asked(call).call, operand(context.saved_tensors[0]), operand(tangent))[1])

    applied: Callable[[Any], Any] = Value.apply
    return applied

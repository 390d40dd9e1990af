"""A workload's call on a backend, with its tensors where they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.bench.inputs import Inputs
from conformance.bench.workload import Contract, Workload

if TYPE_CHECKING:
    from conformance.backends.contract import Backend, Call

__all__ = ["Bound", "bind"]


@dataclass(frozen=True, eq=False)
class Bound:
    """A call with its tensors, resident on the device. ``once`` makes it and returns when its result is there.

    ``input_bytes`` is what the tensors hold.
    """

    backend: Backend
    call: Call
    logits: Any
    upstream: Any
    contract: Contract
    once: Callable[[], None]
    input_bytes: int

    def results(self) -> tuple[Any, ...]:
        """The value, and the gradient where the contract has one; started, and not waited for."""
        if self.contract == "forward+grad":
            return tuple(self.backend.differentiate(self.call, self.logits, self.upstream))
        if self.contract == "forward-saving":
            return (self.backend.save_for_backward(self.call, self.logits)[0],)
        return (self.backend.evaluate(self.call, self.logits),)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the backend's methods about its compiled code take: call, logits, and upstream for a gradient."""
        return (self.call, self.logits, *((self.upstream,) if self.contract == "forward+grad" else ()))


def bind(backend: Backend, workload: Workload, inputs: Inputs, contract: Contract) -> Bound:
    """The call that ``workload`` describes, on ``backend``, under ``contract``."""
    from conformance.backends.contract import Call

    operands = {name: backend.tensor(array) for name, array in inputs.operands().items()}
    options = (
        ("axis", workload.axis),
        ("ignore_index", inputs.ignore_index),
        ("label_smoothing", workload.label_smoothing or None),
        ("reduction", workload.reduction),
    )
    call = Call("cross_entropy", operands, options)
    logits, upstream = backend.tensor(inputs.logits), backend.tensor(inputs.upstream)
    once = _once(backend, call, logits, upstream, contract)
    backend.synchronize(logits, upstream, *operands.values())  # a copy to the device may still be under way
    held = sum(array.nbytes for array in (inputs.logits, inputs.upstream, *inputs.operands().values()))
    return Bound(backend, call, logits, upstream, contract, once, held)


def _once(backend: Backend, call: Call, logits: Any, upstream: Any, contract: Contract) -> Callable[[], None]:
    """Everything is looked up beforehand, and the result is let go at once: users' loops do the same."""
    synchronize = backend.synchronize
    if contract == "forward":
        evaluate = backend.evaluate

        def once() -> None:
            synchronize(evaluate(call, logits))

    elif contract == "forward+grad":
        differentiate = backend.differentiate

        def once() -> None:
            synchronize(*differentiate(call, logits, upstream))

    else:
        save = backend.save_for_backward

        def once() -> None:
            value, saved = save(call, logits)
            synchronize(value)
            del saved

    return once

"""An adapter: a library's operations on a runtime. All else that the suite asks of a backend follows from the runtime.

A library of losses is added by the operations that it has, :attr:`Adapter.offers`, and a profile.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Unpack

from conformance.backends.contract import (
    Array,
    Backend,
    Call,
    Compilations,
    CrossEntropyOptions,
    Memory,
    NllLossOptions,
    Operation,
    Reduction,
    Setup,
    Tensor,
    Unsupported,
    given,
)
from conformance.backends.runtimes.base import Function, Runtime, version

__all__ = ["Adapter", "Offers", "Support"]

Support = Literal["native", "composed", "unsupported"]


@dataclass(frozen=True)
class Offers:
    """What a library has: by one function of its own, composed of several as its users do, or not at all.

    A case about a feature that is said to be unsupported is not judged; of a feature that is left out it is seen.
    """

    operations: Mapping[Operation, Support] = field(default_factory=dict)
    weight: Support | None = None
    ignore_index: Support | None = None
    label_smoothing: Support | None = None
    probability_targets: Support | None = None
    reductions: Support | None = None
    gradient: Support | None = None


#: What an adapter has as its runtime does, unless it says otherwise itself.
_OF_THE_RUNTIME = (
    *("devices", "executions", "precisions", "memory_formats", "rank_counts"),
    *("variables", "of_one_thread"),
)
#: Options whose word a runtime receives, where one of its own was chosen.
_FURTHER = {"precision": "precisions", "memory_format": "memory_formats", "ranks": "rank_counts"}


def _known(runtime: type[Runtime], execution: str) -> str:
    """An execution that a subclass adds is its own affair: the runtime underneath then runs as it does by default."""
    return execution if execution in runtime.executions else runtime.executions[0]


class Adapter(Backend):
    """The operations of one library on :attr:`runs_on`; those that a subclass does not define are not offered."""

    is_base: ClassVar[bool] = True
    #: The array library underneath.
    runs_on: ClassVar[type[Runtime]]
    #: What the library has; its profile documents the same.
    offers: ClassVar[Offers] = Offers()
    #: The library's name in a sentence: ``jax.nn``.
    library: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "runs_on" in vars(cls):
            for name in _OF_THE_RUNTIME:
                if name not in vars(cls):
                    setattr(cls, name, getattr(cls.runs_on, name))

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        super().__init__(device=device, mode=mode, threads=threads)
        kind = self.runs_on
        # Only what was chosen: a runtime that is written as it was takes no option that its parent has got since.
        own = inspect.signature(kind).parameters
        needed = {name for name in _FURTHER if name in own and own[name].default is inspect.Parameter.empty}
        further = {
            name: word if word in getattr(kind, words) else ""
            for name, words in _FURTHER.items()
            if (word := getattr(self, name)) in getattr(kind, words) or name in needed
        }
        self.runtime = kind(device=self.device, execution=_known(kind, self.execution), threads=threads, **further)
        # Those of all its classes: a subclass that imports for its own code would leave its parents' without theirs.
        for each in reversed(type(self).__mro__):
            if "imports" in vars(each):
                each.imports()  # type: ignore[attr-defined]
        self._functions: dict[tuple[Any, ...], Function] = {}

    @classmethod
    def imports(cls) -> None:
        """Import what the class's own operations name, once :meth:`prepare` has set what the library reads on import.

        The parents' are called, too.
        """

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        cls.runs_on.prepare(replace(setup, execution=_known(cls.runs_on, setup.execution)))

    @property
    def compiles(self) -> bool:
        return self.runtime.compiles or super().compiles

    def versions(self) -> dict[str, str]:
        return {self.framework: version(self.framework)} | self.runtime.versions()

    def settings(self) -> dict[str, str]:
        return self.runtime.settings()

    def compilations(self) -> Compilations | None:
        return self.runtime.compilations() if self.runtime.compiles else None

    @property
    def tensor_types(self) -> tuple[type, ...]:
        return self.runtime.tensor_types

    def tensor(self, array: Array | Any) -> Tensor:
        return self.runtime.tensor(array)

    def fill(self, tensor: Tensor, array: Array) -> None:
        self.runtime.fill(tensor, array)

    def view(self, array: Array) -> Tensor:
        return self.runtime.view(array)

    def memory(self, tensor: Tensor) -> Memory | None:
        return self.runtime.memory(tensor)

    def array(self, tensor: Tensor) -> Array:
        return self.runtime.array(tensor)

    def synchronize(self, *results: Tensor) -> None:
        self.runtime.synchronize(*results)

    # -- operations ---------------------------------------------------------------------------------------------------

    def refuse(self, **arguments: Any) -> None:
        """Raise :class:`Unsupported` for the first argument that the caller stated: the library takes none such."""
        for name in given(**arguments):
            raise Unsupported(f"{self.library or self.framework} has no {name}")

    def only(self, options: NllLossOptions, *names: str) -> tuple[Any, ...]:
        """The options of these names; raises :class:`Unsupported` where the caller states another.

        A label smoothing of 0 states nothing here.
        """
        others = {name: each for name, each in options.items() if name not in names}
        self.refuse(**others | {"label_smoothing": others.get("label_smoothing") or None})
        return tuple(options.get(name) for name in names)

    def reduced(self, losses: Tensor, reduction: Reduction | None, mean: Function, total: Function) -> Tensor:
        """The losses of all positions, as users reduce them where the library has no word for that: by default, not.

        A sum or a mean is a scalar of the losses' dtype. Raises Unsupported for any word but those of a reduction.
        """
        if reduction in (None, "none"):
            return losses
        if reduction not in ("mean", "sum"):
            raise Unsupported(f"{self.library or self.framework} has no reductions to name: its users call mean or sum")
        return mean(losses) if reduction == "mean" else total(losses)

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        raise Unsupported(f"{self.library or self.framework} has no softmax")

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        raise Unsupported(f"{self.library or self.framework} has no log_softmax")

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        raise Unsupported(f"{self.library or self.framework} has no nll_loss")

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        raise Unsupported(f"{self.library or self.framework} has no cross_entropy")

    # -- what follows from the runtime --------------------------------------------------------------------------------

    def operate(self, call: Call, logits: Tensor, operands: Mapping[str, Tensor] | None = None) -> Tensor:
        """The call's operation, where a user of the library runs it: within a context, say, that an option asks for."""
        return call.apply(self, logits, operands)

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        return self._apply("value", call, logits) if self.runtime.compiles else self.operate(call, logits)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._apply("vjp", call, logits, upstream)
        return value, gradient

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, jvp = self._apply("jvp", call, logits, tangent)
        return value, jvp

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        return self._apply("hvp", call, logits, upstream, direction)

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._apply("vmap", call, logits, upstream)
        return value, gradient

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        return self._apply("target_gradient", call, logits, upstream)

    def second_vjp(self, call: Call, logits: Tensor, former: Tensor, upstream: Tensor) -> Tensor:
        return self._apply("second_vjp", call, logits, former, upstream)

    def save_for_backward(self, call: Call, logits: Tensor) -> tuple[Tensor, Any]:
        value, saved = self._apply("save", call, logits)
        return value, saved

    def bytes_accessed(self, call: Call, logits: Tensor, upstream: Tensor | None = None) -> float | None:
        return self.runtime.bytes_accessed(*self._program(call, logits, upstream))

    def planned_bytes(self, call: Call, logits: Tensor, upstream: Tensor | None = None) -> int | None:
        return self.runtime.planned_bytes(*self._program(call, logits, upstream))

    def _program(self, call: Call, logits: Tensor, upstream: Tensor | None) -> tuple[Any, ...]:
        """The function that the call runs, and its arguments."""
        if upstream is None:
            return self._function("value", call), logits, dict(call.operands)
        return self._function("vjp", call), logits, dict(call.operands), upstream

    def _apply(self, transform: str, call: Call, logits: Tensor, *more: Tensor) -> Any:
        if transform in self.runtime.compiled_whole:
            self.runtime.tidy()
            return self.runtime.called(self._function(transform, call), logits, dict(call.operands), *more)

        def evaluated(logits: Tensor, operands: Mapping[str, Tensor]) -> Tensor:
            same = operands is call.operands
            return self.evaluate(call if same else Call(call.operation, operands, call.options), logits)

        return _TRANSFORMED[transform](self.runtime, evaluated)(logits, call.operands, *more)

    def _function(self, transform: str, call: Call) -> Function:
        """The transform of ``call``, compiled once for all calls that differ in nothing but their tensors.

        Only the call's operation and options enter the function; the tensors are its arguments.
        """
        key = (transform, call.operation, call.options)
        if key not in self._functions:
            bare = Call(call.operation, {}, call.options)
            made = _TRANSFORMED[transform](self.runtime, lambda logits, operands: self.operate(bare, logits, operands))
            self._functions[key] = self.runtime.compile(self.runtime.watched(made), self.runtime.execution)
        return self._functions[key]


def _value(runtime: Runtime, function: Function) -> Function:
    return function


def _vjp(runtime: Runtime, function: Function) -> Function:
    return lambda logits, operands, upstream: runtime.vjp(lambda x: function(x, operands), logits, upstream)


def _save(runtime: Runtime, function: Function) -> Function:
    return lambda logits, operands: runtime.save(lambda x: function(x, operands), logits)


def _hvp(runtime: Runtime, function: Function) -> Function:
    def product(logits: Tensor, operands: Mapping[str, Tensor], upstream: Tensor, direction: Tensor) -> Tensor:
        return runtime.hvp(lambda x: function(x, operands), logits, upstream, direction)

    return product


def _second_vjp(runtime: Runtime, function: Function) -> Function:
    def gradient(logits: Tensor, operands: Mapping[str, Tensor], former: Tensor, upstream: Tensor) -> Tensor:
        return runtime.second_vjp(lambda x: function(x, operands), logits, former, upstream)

    return gradient


def _target_gradient(runtime: Runtime, function: Function) -> Function:
    def gradient(logits: Tensor, operands: Mapping[str, Tensor], upstream: Tensor) -> Tensor:
        return runtime.vjp(lambda y: function(logits, {**operands, "targets": y}), operands["targets"], upstream)[1]

    return gradient


def _jvp(runtime: Runtime, function: Function) -> Function:
    return lambda logits, operands, tangent: runtime.jvp(lambda x: function(x, operands), logits, tangent)


def _vmap(runtime: Runtime, function: Function) -> Function:
    """A weight is the same for all examples."""

    def mapped(logits: Tensor, operands: Mapping[str, Tensor], upstream: Tensor) -> Any:
        shared = {name: each for name, each in operands.items() if name == "weight"}

        def one(logits: Tensor, own: Mapping[str, Tensor], upstream: Tensor) -> Any:
            return runtime.pure_vjp(lambda x: function(x, {**own, **shared}), logits, upstream)

        return runtime.vmap(one, logits, {name: operands[name] for name in operands if name not in shared}, upstream)

    return mapped


_TRANSFORMED: dict[str, Callable[[Runtime, Function], Function]] = {
    "value": _value,
    "vjp": _vjp,
    "save": _save,
    "hvp": _hvp,
    "target_gradient": _target_gradient,
    "second_vjp": _second_vjp,
    "jvp": _jvp,
    "vmap": _vmap,
}

"""Backends that raise, or return something else than what they were asked for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from conformance.backends.contract import Call, Unsupported
from tests.support.fake_backends.sound import TRIGGER, Exact, Faulty, Sound


class Raises(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise ValueError("x" * 2000)


class RaisesUnprintable(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise Mute


class RaisesInFramework(Faulty):
    """An AttributeError from inside the framework is its own refusal, and no slip of the adapter's."""

    def fault(self, call: Call, logits: Any) -> Any:
        return np.linalg.norm(logits.astype(object).ravel(), "no such")  # type: ignore[call-overload]


class Lacks(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise Unsupported("no such feature")


class Slips(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return logits.no_such_method()


class ReturnsNone(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return None


class ReturnsText(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return "1.5"


class ReturnsRagged(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return [[1.0], [2.0, 3.0]]


class _Lazy:
    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("computed too late")


class ReturnsLazilyFailing(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return _Lazy()


class Modifies(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        logits *= 2
        return call.apply(self, logits / 2)


class ModifiesTargets(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        value = call.apply(self, logits)
        call.operands["targets"][...] = 0
        return value


class WritesBeside(Faulty):
    """Treats a strided view as if it were contiguous, and writes there."""

    def fault(self, call: Call, logits: Any) -> Any:
        value = call.apply(self, logits.copy())
        np.lib.stride_tricks.as_strided(logits, (2,), (logits.itemsize,))[1] = 0
        return value


class Unsteady(Faulty):
    calls = 0

    def fault(self, call: Call, logits: Any) -> Any:
        self.calls += 1
        return call.apply(self, logits) + self.calls


class ReusesItsOutput(Faulty):
    """Returns the same buffer for every call: what was returned first must have been read by then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.output = np.zeros(())

    def fault(self, call: Call, logits: Any) -> Any:
        self.output += 1
        return self.output


class ReusesItsGradient(Sound):
    """Gradients of one dtype share a buffer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, Any] = {}

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        buffer = self.buffers.setdefault(gradient.dtype, np.empty_like(gradient))
        buffer[...] = gradient
        return value, buffer


class SpoilsFormerValues(Sound):
    """Sets the values of all former calls to 0 where the logits say so, for the first ``times``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.times = 1000
        self.values: list[Any] = []

    def evaluate(self, call: Call, logits: Any) -> Any:
        if logits.flat[0] == TRIGGER and self.times:
            self.times -= 1
            for each in self.values:
                each[...] = 0
        self.values.append(super().evaluate(call, logits))
        return self.values[-1]


class EightGradientsInTurn(Sound):
    """Eight buffers of each dtype and size take turns."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, list[Any]] = {}
        self.calls = 0

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        ring = self.buffers.setdefault((gradient.dtype, gradient.shape), [np.empty_like(gradient) for _ in range(8)])
        self.calls += 1
        buffer = ring[self.calls % 8]
        buffer[...] = gradient
        return value, buffer


class ReturnsItsInput(Sound):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits


class ModifiesItsCopy(Sound):
    """Its tensors are copies, and it writes into them."""

    def tensor(self, array: Any) -> Any:
        return array.copy() if isinstance(array, np.ndarray) else array

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        logits[...] = 0
        targets.append(3)
        return logits.sum()


class ReturnsAScalar(Exact):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits.sum()


class ReturnsASubclass(Exact):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits.view(np.matrix)


class ReturnsAListOfNumbers(Exact):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits.tolist()


class Warns(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        warnings.warn("implicit dimension", UserWarning, stacklevel=1)
        warnings.warn("implicit dimension", UserWarning, stacklevel=1)
        return call.apply(self, logits)


class GradientFails(Sound):
    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        raise ArithmeticError("no gradient today")


class GradientIsNoPair(Sound):
    def differentiate(self, call: Call, logits: Any, upstream: Any) -> Any:
        return self.evaluate(call, logits)


class RaisesSurrogates(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise ValueError("\udc80 is lone")

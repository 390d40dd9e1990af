"""One request against one backend: call, differentiate, call again, and see whether the inputs are unchanged."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import warnings
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from conformance.worker.exchange import Array, Failure, Observation, Request
from conformance.worker.faults import Blame
from conformance.worker.layouts import arrange, can_broadcast, owner
from conformance.worker.transforms import TRANSFORMS, Perform

if TYPE_CHECKING:
    from conformance.backends.contract import Backend, Call, Operation

__all__ = ["Evaluator", "same_bits"]

EARLIER = "the result of an earlier call"  # beside the names of inputs, where a call has modified that
SMALL = 4096  # elements: above this, a backend's tensors are not read back
SHORT = 1 << 16  # bytes: below this, comparing copies is faster than comparing views
MOST_WARNINGS = 20


def same_bits(first: Array, second: Array) -> bool:
    """Whether two arrays agree in shape, dtype and every bit (NaN equals itself, 0 differs from negative 0)."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.nbytes <= SHORT:
        return first.tobytes() == second.tobytes()
    return bool(np.array_equal(_bytes(first), _bytes(second)))


def _bytes(array: Array) -> Array:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


class _Failed(Exception):
    """Carries a failure out of the steps of a request."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


@dataclass(eq=False)
class _Input:
    """One input: as it was sent, as it was laid out in memory, and as the framework's tensor."""

    name: str
    sent: Any
    view: Any
    tensor: Any
    memory: bytes | None  # the whole memory of a strided view, gaps included, before the calls


@dataclass(eq=False)
class _Kept:
    """A result as the framework gave it, a tensor like it, and what it held."""

    tensor: Any
    like: Any
    value: Array


class Evaluator:
    """Performs requests on ``backend``; never raises, save ``KeyboardInterrupt`` in the engine's own process."""

    def __init__(self, backend: Backend) -> None:
        from conformance.backends.contract import Call

        self.backend = backend
        self._call = Call
        self._blame = Blame(type(backend))
        self._isolated = multiprocessing.parent_process() is not None
        self._last: _Kept | None = None

    def observe(self, request: Request) -> Observation:
        """The observation of ``request``. Inputs are copied first: no call can spoil the next."""
        clock = _Clock()
        seen: dict[str, Any] = {}
        inputs: list[_Input] = []
        last, self._last = self._last, None
        try:
            inputs = self._inputs(request)
            self._observe(request, inputs, clock, seen)
        except _Failed as stop:
            seen["failure"] = stop.failure
        except BaseException as error:
            seen["failure"] = self._failure(error)
        modified = tuple(each.name for each in inputs if self._is_modified(each))
        if last is not None and self._is_overwritten(last):
            modified += (EARLIER,)
        return Observation(request.key, **seen, modified=modified, seconds=clock.nanoseconds * 1e-9)

    def _observe(self, request: Request, inputs: list[_Input], clock: _Clock, seen: dict[str, Any]) -> None:
        tensors = {each.name: each.tensor for each in inputs}
        logits, upstream = tensors.pop("logits"), tensors.pop("upstream", None)
        tangent = tensors.pop("tangent", None)
        call = self._call(cast("Operation", request.operation), tensors, request.options)
        if "where" in tensors and not _takes(getattr(self.backend, request.operation), "where"):
            raise _Failed(Failure("unsupported", "Unsupported", "there is no mask of classes"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                if request.transform:
                    self._transform(request, call, (logits, upstream, tangent), clock, seen)
                elif upstream is not None and self.backend.compiles:
                    self._compiled(request, call, logits, upstream, clock, seen)
                else:
                    seen["value"] = self._value(call, logits, clock)
            finally:
                if caught:
                    seen["warnings"] = _texts(caught)
            if request.transform:
                return
            warnings.simplefilter("ignore")
            if upstream is not None and not request.only_value and not self.backend.compiles:
                self._differentiate(call, logits, upstream, clock, seen)
            if request.repeat and "value" in seen and "repeatable" not in seen:
                seen["repeatable"] = self._repeats(call, logits, seen["value"], clock)

    def _compiled(
        self, request: Request, call: Call, logits: Any, upstream: Any, clock: _Clock, seen: dict[str, Any]
    ) -> None:
        """Value and gradient from one compiled function; the value alone where it cannot be differentiated."""
        self._differentiate(call, logits, upstream, clock, seen)
        if "gradient_failure" in seen:
            if seen["gradient_failure"].kind == "unsupported":
                seen["failure"] = seen.pop("gradient_failure")
                return
            seen["value"] = self._value(call, logits, clock)
        else:
            seen["value"] = seen.pop("value_with_gradient")
            if request.repeat:
                again: dict[str, Any] = {}
                self._differentiate(call, logits, upstream, clock, again)
                seen["repeatable"] = (
                    "gradient" in again
                    and same_bits(again["value_with_gradient"], seen["value"])
                    and same_bits(again["gradient"], seen["gradient"])
                )
        if request.only_value:
            seen.pop("gradient", None)
            seen.pop("gradient_failure", None)

    def _inputs(self, request: Request) -> list[_Input]:
        inputs = [self._input("logits", request.logits, request.layout)]
        for name, item in request.operands.items():
            inputs.append(self._input(name, item, request.layout))
        if request.upstream is not None and not (request.only_value and not self.backend.compiles):
            inputs.append(self._input("upstream", request.upstream, request.layout))
        if request.tangent is not None:
            inputs.append(self._input("tangent", request.tangent, request.layout))
        return inputs

    def _input(self, name: str, sent: Any, layout: str) -> _Input:
        if not isinstance(sent, np.ndarray):
            return _Input(name, sent, None, copy.deepcopy(sent), None)
        if layout == "broadcast" and name != "logits" and not can_broadcast(sent):
            layout = "contiguous"
        view = arrange(sent, layout)
        memory = None if layout == "contiguous" else owner(view).tobytes()
        return _Input(name, sent, view, self.backend.tensor(view), memory)

    def _value(self, call: Any, logits: Any, clock: _Clock) -> Array:
        """The value as an array of our own; the tensor is kept, to see whether the next request spares it."""
        clock.start()
        try:
            result = self.backend.evaluate(call, logits)
            array = self._read("the value", result, logits)
        finally:
            clock.stop()
        value = np.array(array, order="C")
        self._last = _Kept(result, logits, value) if value.size <= SMALL else None
        return value

    def _differentiate(self, call: Any, logits: Any, upstream: Any, clock: _Clock, seen: dict[str, Any]) -> None:
        clock.start()
        try:
            pair = self.backend.differentiate(call, logits, upstream)
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise _Failed(self._blame.wrong_return("what differentiate returned", pair, "not (value, gradient)"))
            value = self._read("the value beside the gradient", pair[0], logits)
            gradient = self._read("the gradient", pair[1], logits)
            clock.stop()
            seen["value_with_gradient"] = np.array(value, order="C")
            seen["gradient"] = np.array(gradient, order="C")
        except _Failed as stop:
            seen["gradient_failure"] = stop.failure
        except BaseException as error:
            seen["gradient_failure"] = self._failure(error)
        finally:
            clock.stop()

    def _transform(self, request: Request, call: Call, given: Any, clock: _Clock, seen: dict[str, Any]) -> None:
        """What the transform gives, read into the observation; a second time where that is asked for."""
        perform = TRANSFORMS[request.transform]
        first = self._transformed(perform, call, given, clock)
        seen.update(first)
        if request.repeat:
            again = self._transformed(perform, call, given, clock)
            seen["repeatable"] = all(same_bits(again[name], first[name]) for name in first)

    def _transformed(self, perform: Perform, call: Call, given: Any, clock: _Clock) -> dict[str, Array]:
        clock.start()
        try:
            results = perform(self.backend, call, *given)
            if not isinstance(results, dict):
                raise _Failed(self._blame.wrong_return("what the transform returned", results, "not a pair of tensors"))
            read = {name: self._read(f"the {name}", tensor, given[0]) for name, tensor in results.items()}
        finally:
            clock.stop()
        return {name: np.array(array, order="C") for name, array in read.items()}

    def _repeats(self, call: Any, logits: Any, value: Array, clock: _Clock) -> bool:
        try:
            return same_bits(self._value(call, logits, clock), value)
        except BaseException as error:
            self._failure(error)
            return False

    def _read(self, what: str, result: Any, like: Any) -> Array:
        """The array of ``result``. A tensor that fails only now fails in the framework; anything else is no tensor."""
        try:
            array = self.backend.array(result)
        except BaseException as error:
            if isinstance(result, type(like)):
                raise
            failure = self._failure(error)
            raise _Failed(self._blame.wrong_return(what, result, f"{failure.type}: {failure.message}")) from error
        if not isinstance(array, np.ndarray | np.generic) or not _is_number(array.dtype):
            found = f"dtype {array.dtype}" if isinstance(array, np.ndarray) else f"type {type(array).__name__}"
            raise _Failed(self._blame.wrong_return(what, result, found))
        return np.asarray(array)

    def _failure(self, error: BaseException) -> Failure:
        # In a backend's process Ctrl-C is ignored, so that there the framework itself must have raised it.
        if isinstance(error, KeyboardInterrupt) and not self._isolated:
            raise error
        return self._blame.failure(error)

    def _is_modified(self, each: _Input) -> bool:
        if each.view is None:
            return _differ(each.tensor, each.sent)
        if each.memory is None:
            if not same_bits(each.view, each.sent):
                return True
        elif owner(each.view).tobytes() != each.memory:
            return True
        return each.sent.size <= SMALL and self._is_tensor_modified(each)

    def _is_overwritten(self, kept: _Kept) -> bool:
        """Whether a result that an earlier request gave is no longer what it was: results belong to the caller."""
        try:
            return not same_bits(self._read("an earlier value", kept.tensor, kept.like), kept.value)
        except BaseException as error:
            self._failure(error)
            return True

    def _is_tensor_modified(self, each: _Input) -> bool:
        try:
            now = self.backend.array(each.tensor)
        except BaseException as error:  # a buffer that was given away, for one
            self._failure(error)
            return True
        # Where the framework converts (64-bit labels to 32-bit), the tensor is not comparable with what was sent.
        comparable = isinstance(now, np.ndarray) and now.dtype == each.sent.dtype and now.shape == each.sent.shape
        return comparable and not same_bits(now, each.sent)


class _Clock:
    """Adds up the time between ``start`` and ``stop``; a second ``stop`` adds nothing."""

    def __init__(self) -> None:
        self.nanoseconds = 0
        self._since: int | None = None

    def start(self) -> None:
        self._since = perf_counter_ns()

    def stop(self) -> None:
        if self._since is not None:
            self.nanoseconds += perf_counter_ns() - self._since
            self._since = None


def _takes(method: Any, name: str) -> bool:
    """Whether a method names a parameter; ``**options`` that take anything promise nothing."""
    return name in inspect.signature(method).parameters


def _differ(now: Any, sent: Any) -> bool:
    """Whether a Python object changed, as far as it can be compared."""
    try:
        return bool(now != sent)
    except Exception:
        return False


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.name.startswith(("bfloat", "float")))


def _texts(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    texts = dict.fromkeys(f"{each.category.__name__}: {each.message}"[:500] for each in caught)
    return tuple(texts)[:MOST_WARNINGS]

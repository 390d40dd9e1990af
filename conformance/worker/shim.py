"""Calls on a backend: a shim makes them and gives back bytes; nothing is judged, compared or known here.

Importing this module imports no NumPy: thread pools read their environment variables when they are loaded.
"""

from __future__ import annotations

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

from conformance.worker.compiled import Counter
from conformance.worker.faults import Blame, Failed
from conformance.worker.held import hold_builtins, hold_numpy, warnings
from conformance.worker.operands import Input, Operands
from conformance.worker.outputs import Outputs, result_of
from conformance.worker.wire import Answer, CallOrder, Fault, Result, clean

if TYPE_CHECKING:
    from conformance.backends import contract
    from conformance.backends.contract import Backend, Operation

__all__ = ["Shim"]

hold_builtins(globals())

MOST_WARNINGS = 20
CONCURRENT = 16  # calls of each of two threads
PATIENCE = 30  # seconds for the other of two threads to begin


class Shim:
    """Makes calls on ``backend``; never raises, save ``KeyboardInterrupt`` where it is not ``isolated``."""

    def __init__(self, backend: Backend, *, isolated: bool) -> None:
        from conformance.backends import contract

        self.backend = backend
        self._compiles = bool(backend.compiles)
        self._numpy = hold_numpy()
        self._call = contract.Call
        self._blame = Blame(type(backend), isolated=isolated)
        self._operands = Operands(backend, self._blame)
        self._outputs = Outputs(backend, self._blame)
        self._counter = Counter(backend, self._blame)
        self.forget = self._outputs.forget

    def perform(self, call: CallOrder, memory: Any, protected: Any = None) -> Answer:
        """The answer to ``call``, whose operands lie in the buffer ``memory``.

        ``protected`` is the same, where whoever writes to it ends the process.
        """
        record = _CallRecord()
        before = self._counter.counts()
        inputs: list[Input] = []
        self._outputs.begin(call)
        try:
            inputs = [*self._operands.given(call, memory, memory if protected is None else protected)]
            self._perform(call, inputs, record)
        except Failed as stop:
            record.facts["failure"] = stop.fault
        except BaseException as error:
            record.facts["failure"] = self._blame.failure(error)
        views = {each.name: each.view for each in inputs if each.view is not None}
        whole = self._numpy.frombuffer(memory, self._numpy.uint8)
        shared = self._outputs.write(views, whole, apart=self._operands.are_apart)
        self._operands.put_back()
        after: dict[str, Result | bytes | None] = {}
        for each in inputs:
            self._operands.read_back(each, after)
        earlier = tuple(map(self._outputs.read_again, call.earlier))
        self._outputs.keep(call.nonce, record.results)
        return Answer(
            call.nonce,
            record.results,
            record.facts.get("failure"),
            record.facts.get("gradient_failure"),
            record.facts.get("warnings", ()),
            after,
            earlier,
            record.clock.nanoseconds,
            self._counter.since(before),
            shared,
        )

    def _perform(self, call: CallOrder, inputs: list[Input], record: _CallRecord) -> None:
        tensors = {each.name: each.tensor for each in inputs}
        logits, upstream = tensors.pop("logits"), tensors.pop("upstream", None)
        tangent, other_logits = tensors.pop("tangent", None), tensors.pop("other_logits", None)
        transformed = bool(call.transform) or other_logits is not None
        made = self._call(cast("Operation", call.operation), tensors, call.options)
        if "where" in tensors and not _takes(getattr(self.backend, call.operation), "where"):
            raise Failed(Fault("unsupported", "Unsupported", "there is no mask of classes"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                if call.transform == "refilled":
                    self._refilled(made, inputs, record)
                elif transformed:
                    self._transform(call.transform, made, (logits, upstream, tangent), other_logits, record)
                elif upstream is not None and self._compiles:
                    self._compiled(made, logits, upstream, record)
                else:
                    record.results["value"] = self._value(made, logits, record.clock)
            finally:
                if caught:
                    record.facts["warnings"] = _texts(caught)
            if upstream is not None and not (transformed or self._compiles):
                self._differentiate(made, logits, upstream, record)

    def _value(self, made: contract.Call, logits: Any, clock: _Clock) -> Result:
        """The value."""
        clock.start()
        try:
            tensor = self.backend.evaluate(made, logits)
            array = self._outputs.read("the value", tensor, logits)
        finally:
            clock.stop()
        return self._outputs.taken("value", tensor, array)

    def _compiled(self, made: contract.Call, logits: Any, upstream: Any, record: _CallRecord) -> None:
        """Value and gradient from one compiled function; the value alone where it cannot be differentiated."""
        self._differentiate(made, logits, upstream, record)
        if "gradient_failure" not in record.facts:
            record.results["value"] = record.results.pop("value_with_gradient")
            if (tensor := self._outputs.tensors.pop("value_with_gradient", None)) is not None:
                self._outputs.tensors["value"] = tensor
        else:
            record.results["value"] = self._value(made, logits, record.clock)

    def _differentiate(self, made: contract.Call, logits: Any, upstream: Any, record: _CallRecord) -> None:
        record.clock.start()
        try:
            pair = self._pair(made, logits, upstream)
            value = self._outputs.read("the value beside the gradient", pair[0], logits)
            gradient = self._outputs.read("the gradient", pair[1], logits)
            record.clock.stop()
            record.results["value_with_gradient"] = self._outputs.taken("value_with_gradient", pair[0], value)
            record.results["gradient"] = self._outputs.taken("gradient", pair[1], gradient)
        except Failed as stop:
            record.facts["gradient_failure"] = stop.fault
        except BaseException as error:
            record.facts["gradient_failure"] = self._blame.failure(error)
        finally:
            record.clock.stop()

    def _transform(
        self, name: str, made: contract.Call, given: tuple[Any, Any, Any], other_logits: Any, record: _CallRecord
    ) -> None:
        record.clock.start()
        try:
            if other_logits is None:
                named = self._transformed(name, made, *given)
            else:
                named = self._concurrent(name, made, given, other_logits)
            if not isinstance(named, dict):
                raise self._blame.wrong_return("what the transform returned", named, "not a pair of tensors")
            arrays = {key: self._outputs.read(f"the {key}", tensor, given[0]) for key, tensor in named.items()}
        finally:
            record.clock.stop()
        record.results.update({key: self._outputs.taken(key, named[key], array) for key, array in arrays.items()})

    def _transformed(self, name: str, made: contract.Call, logits: Any, upstream: Any, tangent: Any) -> Any:
        """Which method of the contract performs a transform, or the plain call, and what its results are called."""
        if not name:
            return _named(("value", "gradient"), self._pair(made, logits, upstream))
        if name == "forward-mode":
            return _named(("value", "derivative"), self.backend.jvp(made, logits, tangent))
        if name == "second-order":
            return {"derivative": self.backend.hvp(made, logits, upstream, tangent)}
        if name == "vectorised-map":
            return _named(("value", "gradient"), self.backend.vmap(made, logits, upstream))
        if name == "second-backward":
            return {"gradient": self.backend.second_vjp(made, logits, tangent, upstream)}
        return {"derivative": self.backend.target_gradient(made, logits, upstream)}

    def _concurrent(self, name: str, made: contract.Call, given: tuple[Any, Any, Any], other_logits: Any) -> Any:
        """The results of calls that another thread makes its own beside, in all of which it has other numbers.

        Those that have other bits than the same call alone, where there are any: that is the driver's to judge.
        """
        if not self.backend.thread_safe or name in self.backend.of_one_thread:
            raise Failed(Fault("unsupported", "Unsupported", "the backend is not to be called from two threads"))
        logits, upstream, tangent = given
        # The two upstream gradients exchanged, or the logits for a direction: whatever fits.
        operands = (tangent, upstream) if name == "second-backward" else (upstream, logits)
        other = (other_logits, *operands)

        def call(given: tuple[Any, Any, Any]) -> Any:
            return self._transformed(name, made, *given)

        alone = call(given)
        call(other)  # what is compiled, is by now
        if not isinstance(alone, dict):
            return alone
        ready = threading.Barrier(2)

        def calls(given: tuple[Any, Any, Any]) -> list[Any]:
            ready.wait(PATIENCE)
            return [call(given) for _ in range(CONCURRENT)]

        with ThreadPoolExecutor(2) as pool:
            mine, others = pool.submit(calls, given), pool.submit(calls, other)
            found = mine.result()
            others.result()
        wanted = [self._bits(each) for each in alone.values()]
        return next((each for each in found if [*map(self._bits, each.values())] != wanted), found[-1])

    def _refilled(self, made: contract.Call, inputs: list[Input], record: _CallRecord) -> None:
        """The results of a call on tensors that held the same numbers in reverse order in an earlier call."""
        tensors = {each.name: each.tensor for each in inputs}
        given = tensors["logits"], tensors["upstream"]
        if not all(each.view.flags.writeable for each in inputs if each.view is not None):
            raise Failed(Fault("unsupported", "Unsupported", "memory that is read-only is not written to"))
        numbers = {each.name: each.view.copy() for each in inputs if each.view is not None}
        for name, present in numbers.items():
            self.backend.fill(tensors[name], self._numpy.array(self._numpy.flip(present)))
        self._evaluated_pair(made, *given)
        for name, present in numbers.items():
            self.backend.fill(tensors[name], present)
        record.clock.start()
        try:
            named = self._evaluated_pair(made, *given)
            arrays = {key: self._outputs.read(f"the {key}", tensor, given[0]) for key, tensor in named.items()}
        finally:
            record.clock.stop()
        record.results.update({key: self._outputs.taken(key, named[key], array) for key, array in arrays.items()})

    def _evaluated_pair(self, made: contract.Call, logits: Any, upstream: Any) -> dict[str, Any]:
        """The value by itself, and the gradient."""
        value = self.backend.evaluate(made, logits)
        return {"value": value, "gradient": self._pair(made, logits, upstream)[1]}

    def _pair(self, made: contract.Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        pair = self.backend.differentiate(made, logits, upstream)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise self._blame.wrong_return("what differentiate returned", pair, "not (value, gradient)")
        return pair

    def _bits(self, tensor: Any) -> bytes:
        return result_of(self._outputs.read("a result of two threads", tensor, tensor)).data


class _Clock:
    """Adds up the time between ``start`` and ``stop``; a second ``stop`` adds nothing."""

    __slots__ = ("_since", "nanoseconds")

    def __init__(self) -> None:
        self.nanoseconds = 0
        self._since: int | None = None

    def start(self) -> None:
        self._since = perf_counter_ns()

    def stop(self) -> None:
        if self._since is not None:
            self.nanoseconds += perf_counter_ns() - self._since
            self._since = None


class _CallRecord:
    """What comes of one call: its results by name, the time they took, and the other fields of its answer."""

    __slots__ = ("clock", "facts", "results")

    def __init__(self) -> None:
        self.clock = _Clock()
        self.results: dict[str, Result] = {}
        self.facts: dict[str, Any] = {}


def _takes(method: Any, name: str) -> bool:
    """Whether a method names a parameter; ``**options`` that take anything promise nothing."""
    return name in inspect.signature(method).parameters


def _named(names: tuple[str, ...], results: Any) -> Any:
    fits = isinstance(results, tuple) and len(results) == len(names)
    return dict(zip(names, results, strict=True)) if fits else results


def _texts(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    texts = dict.fromkeys(clean(f"{each.category.__name__}: {each.message}") for each in caught)
    return tuple(texts)[:MOST_WARNINGS]

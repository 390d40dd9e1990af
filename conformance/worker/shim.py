"""Calls on a backend: a shim makes them and gives back bytes; nothing is judged, compared or known here.

Importing this module imports no NumPy: thread pools read their environment variables when they are loaded.
"""

from __future__ import annotations

import inspect
import math
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

from conformance.worker import wire
from conformance.worker.faults import Blame
from conformance.worker.wire import Answer, CallOrder, Compiled, Fault, Operand, Plain, Result, clean

if TYPE_CHECKING:
    from conformance.backends import contract
    from conformance.backends.contract import Backend, Operation

__all__ = [
    "AGES",
    "EXTENDED",
    "INVERTED",
    "LARGEST_KEPT",
    "LARGEST_WHOLE",
    "NEXT",
    "SMALL",
    "Shim",
    "stride_of",
    "without_gaps",
]

SMALL = 4096  # elements: above this, the framework's copy of an input is not read back
LARGEST_KEPT = 1 << 21  # elements: above this, a result is not kept
LARGEST_WHOLE = 1 << 17  # elements: above this, some of a result's elements are read again, after the next calls alone
SOME = 1 << 12  # so many of them, or a few more
EXTENDED = "gG"  # NumPy's characters for the dtypes whose numbers may have gaps between them
PLAIN = "?bBhHiIlLqQfd"  # those that a memoryview knows, too
#: Bits of each byte that are inverted in what is written to results: calls 1, 2, 4 and 8 apart invert others, so that
#: a buffer shows who wrote to it last even where all of them wrote the same numbers. None is two others together.
BITS = (0xFF, 0xF3, 0x0F)
INVERTED = tuple(bytes(byte ^ bits for byte in range(256)) for bits in BITS)  # every byte to what is written
#: Results are read again after so many calls: a buffer that n calls use in turn is written to by the n-th after.
AGES = (1, 2, 4, 8)
NEXT = 2  # readings of large results
MOST_WARNINGS = 20
MOST_REASONS = 20  # of graph breaks
MOST_OF_A_REASON = 200  # characters
#: The numbers of ``contract.Compilations``.
COUNTS = ("calls", "uncompiled", "graphs", "ran", "breaks", "cached")
CONCURRENT = 16  # calls of each of two threads
PATIENCE = 30  # seconds for the other of two threads to begin
CACHE_LINE = 64  # bytes: what a framework may ask of the address of an array that it shares


class _Failed(Exception):
    """Carries a fault out of the steps of a call."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class _Input:
    """One input: its view of the driver's memory (``None`` for a Python object) and the framework's tensor.

    ``kind`` is what a framework goes by when it decides whether to make a copy.
    """

    __slots__ = ("kind", "name", "tensor", "view")

    def __init__(self, name: str, view: Any, tensor: Any, kind: Any = None) -> None:
        self.name, self.view, self.tensor, self.kind = name, view, tensor, kind


class _Kept:
    """The tensors of a call's results, and the arrays that they were read as; ``times`` that they were read again.

    ``sizes`` are in elements.
    """

    __slots__ = ("arrays", "sizes", "tensors", "times")

    def __init__(self, tensors: dict[str, Any], arrays: dict[str, Any], sizes: dict[str, int]) -> None:
        self.tensors, self.arrays, self.sizes, self.times = tensors, arrays, sizes, 0

    def forget(self, above: int) -> None:
        for name, size in self.sizes.items():
            if size > above:
                self.tensors.pop(name, None)
                self.arrays.pop(name, None)


class Shim:
    """Makes calls on ``backend``; never raises, save ``KeyboardInterrupt`` where it is not ``isolated``."""

    def __init__(self, backend: Backend, *, isolated: bool) -> None:
        import numpy

        from conformance.backends import contract

        self.backend = backend
        self._numpy = numpy
        self._call = contract.Call
        self._memory_of = contract.Memory.of
        self._blame = Blame(type(backend))
        self._isolated = isolated
        self._types = tuple(backend.tensor_types)
        self._compiles = bool(backend.compiles)
        self._dtypes: dict[str, Any] = {}
        self._shared: set[tuple[Any, ...]] = set()  # the kinds of arrays of which the framework makes no copy
        self._largest = 0  # bytes of a result
        self._held: dict[str, Any] = {}  # the tensors of the present call's results
        self._kept: dict[int, _Kept] = {}  # those of the last calls, by their nonces
        self._arrays: dict[str, tuple[Any, Result]] = {}  # of the results of a call, and their bytes
        self._whole: Any = None  # the memory of all operands, as an array
        self._apart: list[tuple[Any, Any]] = []  # the numbers of those that are far apart, and where they are given
        self._protected: Any = None
        self._calls = 0
        self._logits = 0  # where the memory of a call's logits begins

    def perform(self, call: CallOrder, memory: Any, protected: Any = None) -> Answer:
        """The answer to ``call``, whose operands lie in the buffer ``memory``.

        ``protected`` is the same, where whoever writes to it ends the process.
        """
        self._whole = self._numpy.frombuffer(memory, self._numpy.uint8)
        self._protected = memory if protected is None else protected
        clock, results, seen = _Clock(), dict[str, Result](), dict[str, Any]()
        before = self._counts()
        inputs: list[_Input] = []
        self._held, self._apart = {}, []
        self._calls += 1
        self._largest = wire.largest_result(call)
        try:
            inputs = self._inputs(call, memory)
            self._perform(call, inputs, clock, results, seen)
        except _Failed as stop:
            seen["failure"] = stop.fault
        except BaseException as error:
            seen["failure"] = self._fault(error)
        shared = self._write_to_results(inputs)
        for numbers, around in self._apart:  # so that the driver sees what was written there
            numbers[...] = around
        after: dict[str, Result | bytes | None] = {}
        for each in inputs:
            self._read_back(each, after)
        earlier = tuple(self._read_again(self._kept.get(nonce)) for nonce in call.earlier)
        self._keep(call.nonce, results)
        return Answer(
            call.nonce,
            results,
            seen.get("failure"),
            seen.get("gradient_failure"),
            seen.get("warnings", ()),
            after,
            earlier,
            clock.nanoseconds,
            self._compiled_since(before),
            shared,
        )

    def _counts(self) -> _Counts | None:
        """What the framework has counted so far of what it compiles; None where it says nothing, or what is no count.

        Whatever is wrong with it is nothing that a call has done.
        """
        if not self._compiles:
            return None
        try:
            said = self.backend.compilations()
            if said is None:
                return None
            known = {name: getattr(said, name) for name in COUNTS}
            return _Counts(known, dict(said.reasons))
        except BaseException as error:
            self._fault(error)
            return None

    def _compiled_since(self, before: _Counts | None) -> Compiled | None:
        after = None if before is None else self._counts()
        if before is None or after is None:
            return None
        try:
            return after.since(before)
        except BaseException as error:
            self._fault(error)
            return None

    # -- the steps of a call ------------------------------------------------------------------------------------------

    def _perform(
        self, call: CallOrder, inputs: list[_Input], clock: _Clock, results: dict[str, Result], seen: dict[str, Any]
    ) -> None:
        tensors = {each.name: each.tensor for each in inputs}
        logits, upstream = tensors.pop("logits"), tensors.pop("upstream", None)
        tangent = tensors.pop("tangent", None)
        made = self._call(cast("Operation", call.operation), tensors, call.options)
        if "where" in tensors and not _takes(getattr(self.backend, call.operation), "where"):
            raise _Failed(Fault("unsupported", "Unsupported", "there is no mask of classes"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                if call.transform:
                    self._transform(call.transform, made, (logits, upstream, tangent), clock, results)
                elif upstream is not None and self.backend.compiles:
                    self._compiled(call, made, logits, upstream, clock, results, seen)
                else:
                    results["value"] = self._value(call, made, logits, clock)
            finally:
                if caught:
                    seen["warnings"] = _texts(caught)
            if upstream is not None and not call.transform and not self.backend.compiles:
                self._differentiate(made, logits, upstream, clock, results, seen)

    def _inputs(self, call: CallOrder, memory: Any) -> list[_Input]:
        self._logits = call.logits.memory[0] if call.logits.memory else call.logits.offset
        inputs = [self._input("logits", call.logits, memory)]
        for name, operand in call.operands.items():
            inputs.append(self._input(name, operand, memory))
        if call.upstream is not None:
            inputs.append(self._input("upstream", call.upstream, memory))
        if call.tangent is not None:
            inputs.append(self._input("tangent", call.tangent, memory))
        return inputs

    def _input(self, name: str, operand: Operand | Plain, memory: Any) -> _Input:
        if isinstance(operand, Plain):
            return _Input(name, None, wire.unpack(operand.packed))
        dtype = self._dtypes.get(operand.dtype)
        if dtype is None:
            if operand.dtype == "bfloat16":
                import ml_dtypes  # noqa: F401  # NumPy knows the name from then on
            dtype = self._dtypes[operand.dtype] = self._numpy.dtype(operand.dtype)
        kind = (operand.dtype, operand.shape, operand.strides, operand.offset % CACHE_LINE)
        if operand.far_apart:
            count, *inner = operand.shape
            view = self._far_apart(self._numpy.ndarray((count + 2, *inner), dtype, memory, operand.offset))
            return _Input(name, view, self._exact(view, shared=False), kind)
        if operand.memory is None:
            view = self._numpy.ndarray(operand.shape, dtype, memory, operand.offset, operand.strides)
            return _Input(name, view, self.backend.tensor(view), kind)
        start, size = operand.memory
        memory = self._protected if operand.read_only else memory
        whole = self._numpy.ndarray((size // dtype.itemsize,), dtype, memory, start)
        whole.flags.writeable = not operand.read_only
        view = self._numpy.ndarray(operand.shape, dtype, whole, operand.offset - start, operand.strides)
        if not operand.exact:
            return _Input(name, view, self.backend.tensor(view), kind)
        return _Input(name, view, self._exact(view, shared=name != "logits" and start == self._logits), kind)

    def _far_apart(self, numbers: Any) -> Any:
        """A view, in memory of its own, whose positions are far apart."""
        from conformance.worker.reserved import spread

        try:
            around, view = spread(numbers)
        except OSError as error:
            message = clean(f"there is too little address space for positions far apart: {error}")
            raise _Failed(Fault("unsupported", "Unsupported", message)) from error
        self._apart.append((numbers, around))
        return view

    def _exact(self, view: Any, *, shared: bool) -> Any:
        """A tensor in the very layout of ``view``, and at its address if ``shared`` with the logits.

        A framework that has no such tensors lacks the feature.
        """
        try:
            tensor = self.backend.view(view)
            found = self.backend.memory(tensor)
        except Exception as error:
            fault = self._fault(error)
            raise _Failed(Fault("unsupported", fault.type, fault.message, fault.file, fault.line)) from error
        asked = self._memory_of(view)
        if found is None or _lies_elsewhere(found, asked, view.shape, shared=shared):
            kept = "does not say how its tensors lie" if found is None else "makes a copy that lies otherwise"
            raise _Failed(Fault("unsupported", "Unsupported", f"the framework {kept} in memory"))
        return tensor

    def _value(self, call: CallOrder, made: contract.Call, logits: Any, clock: _Clock) -> Result:
        """The value."""
        clock.start()
        try:
            tensor = self.backend.evaluate(made, logits)
            array = self._read("the value", tensor, logits)
        finally:
            clock.stop()
        self._held["value"] = tensor
        return self._taken("value", array)

    def _compiled(
        self,
        call: CallOrder,
        made: contract.Call,
        logits: Any,
        upstream: Any,
        clock: _Clock,
        results: dict[str, Result],
        seen: dict[str, Any],
    ) -> None:
        """Value and gradient from one compiled function; the value alone where it cannot be differentiated."""
        self._differentiate(made, logits, upstream, clock, results, seen)
        if "gradient_failure" not in seen:
            results["value"] = results.pop("value_with_gradient")
            self._held["value"] = self._held.pop("value_with_gradient")
        elif seen["gradient_failure"].kind == "unsupported":
            seen["failure"] = seen.pop("gradient_failure")
        else:
            results["value"] = self._value(call, made, logits, clock)

    def _differentiate(
        self,
        made: contract.Call,
        logits: Any,
        upstream: Any,
        clock: _Clock,
        results: dict[str, Result],
        seen: dict[str, Any],
    ) -> None:
        clock.start()
        try:
            pair = self.backend.differentiate(made, logits, upstream)
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise _Failed(self._blame.wrong_return("what differentiate returned", pair, "not (value, gradient)"))
            value = self._read("the value beside the gradient", pair[0], logits)
            gradient = self._read("the gradient", pair[1], logits)
            clock.stop()
            results["value_with_gradient"] = self._taken("value_with_gradient", value)
            results["gradient"] = self._taken("gradient", gradient)
            self._held["value_with_gradient"], self._held["gradient"] = pair
        except _Failed as stop:
            seen["gradient_failure"] = stop.fault
        except BaseException as error:
            seen["gradient_failure"] = self._fault(error)
        finally:
            clock.stop()

    def _transform(
        self, name: str, made: contract.Call, given: tuple[Any, Any, Any], clock: _Clock, results: dict[str, Result]
    ) -> None:
        clock.start()
        try:
            named = self._transformed(name, made, *given)
            if not isinstance(named, dict):
                raise _Failed(self._blame.wrong_return("what the transform returned", named, "not a pair of tensors"))
            arrays = {key: self._read(f"the {key}", tensor, given[0]) for key, tensor in named.items()}
        finally:
            clock.stop()
        results.update({key: self._taken(key, array) for key, array in arrays.items()})
        self._held.update(named)

    def _transformed(self, name: str, made: contract.Call, logits: Any, upstream: Any, tangent: Any) -> Any:
        """Which method of the contract performs a transform, and what its results are called."""
        if name == "forward-mode":
            return _named(("value", "derivative"), self.backend.directional(made, logits, tangent))
        if name == "second-order":
            return {"derivative": self.backend.hessian_product(made, logits, upstream, tangent)}
        if name == "vectorised-map":
            return _named(("value", "gradient"), self.backend.mapped(made, logits, upstream))
        if name == "concurrent":
            return self._concurrent(made, logits, upstream, tangent)
        if name == "second-backward":
            return {"gradient": self.backend.second_backward(made, logits, tangent, upstream)}
        return {"derivative": self.backend.target_gradient(made, logits, upstream)}

    def _concurrent(self, made: contract.Call, logits: Any, upstream: Any, other: Any) -> Any:
        """Value and gradient of calls that another thread makes its own beside.

        Those that have other bits than the same call alone, where there are any: that is the driver's to judge.
        """
        if not self.backend.thread_safe:
            raise _Failed(Fault("unsupported", "Unsupported", "the backend is not to be called from two threads"))
        alone = self._pair(made, logits, upstream)
        self._pair(made, other, upstream)  # what is compiled, is by now
        ready = threading.Barrier(2)

        def calls(given: Any) -> list[Any]:
            ready.wait(PATIENCE)
            return [self._pair(made, given, upstream) for _ in range(CONCURRENT)]

        with ThreadPoolExecutor(2) as pool:
            mine, others = pool.submit(calls, logits), pool.submit(calls, other)
            found = mine.result()
            others.result()
        wanted = [self._bits(each) for each in alone]
        pair = next((pair for pair in found if [self._bits(each) for each in pair] != wanted), found[-1])
        return dict(zip(("value", "gradient"), pair, strict=True))

    def _pair(self, made: contract.Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        pair = self.backend.differentiate(made, logits, upstream)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise _Failed(self._blame.wrong_return("what differentiate returned", pair, "not (value, gradient)"))
        return pair

    def _bits(self, tensor: Any) -> bytes:
        return _result(self._read("a result of two threads", tensor, tensor)).data

    # -- results of the last calls, to see whether the next ones spare them --------------------------------------------

    def _keep(self, nonce: int, results: dict[str, Result]) -> None:
        sizes = {name: math.prod(each.shape) for name, each in results.items()}
        kept = [name for name, size in sizes.items() if size <= LARGEST_KEPT]
        arrays = {name: self._arrays[name][0] for name in kept if name in self._arrays}
        self._kept[nonce] = _Kept({name: self._held[name] for name in kept}, arrays, sizes)
        self._held, self._arrays, self._whole, self._protected, self._apart = {}, {}, None, None, []
        if len(self._kept) > AGES[-1]:
            del self._kept[next(iter(self._kept))]

    def forget(self, above: int) -> None:
        """Give the memory of results of more than so many elements back."""
        for each in self._kept.values():
            each.forget(above)

    def _read_again(self, kept: _Kept | None) -> dict[str, Result]:
        """What the memory holds from which the results were read, and the next time what the framework says.

        It says so much later, and where no memory is shared, it alone does.
        """
        found: dict[str, Result] = {}
        if kept is None:
            return found
        kept.times += 1
        for name, tensor in kept.tensors.items():
            try:
                is_first = kept.times == 1 and name in kept.arrays
                array = self._numpy.asarray(kept.arrays[name] if is_first else self.backend.array(tensor))
                large = array.size > LARGEST_WHOLE
                found[name] = _result(array.flat[:: stride_of(array.size)] if large else array)
            except BaseException as error:  # it has been given away, for one
                self._fault(error)
        if kept.times == NEXT:
            kept.forget(LARGEST_WHOLE)
        return found

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read(self, what: str, tensor: Any, like: Any) -> Any:
        """The array of ``tensor``. One that fails only now fails in the framework; anything else is not a tensor."""
        kind = type(tensor)
        if self._types and not any(kind is each for each in self._types) and not _is_scalar(kind, self._numpy):
            raise _Failed(self._blame.wrong_return(what, tensor, "it is not exactly of the framework's own type"))
        try:
            array = self.backend.array(tensor)
        except BaseException as error:
            if isinstance(tensor, type(like)):
                raise
            fault = self._fault(error)
            raise _Failed(self._blame.wrong_return(what, tensor, f"{fault.type}: {fault.message}")) from error
        if not isinstance(array, self._numpy.ndarray | self._numpy.generic) or not _is_number(array.dtype):
            is_array = isinstance(array, self._numpy.ndarray)
            found = f"dtype {array.dtype}" if is_array else f"type {type(array).__name__}"
            raise _Failed(self._blame.wrong_return(what, tensor, clean(found)))
        if array.nbytes > self._largest:
            raise _Failed(
                self._blame.wrong_return(what, tensor, f"it has {array.nbytes} bytes, and the logits far less")
            )
        return self._numpy.asarray(array)

    def _taken(self, name: str, array: Any) -> Result:
        """A result's bytes; its array is remembered, to be written to."""
        result = _result(array)
        self._arrays[name] = array, result
        return result

    def _write_to_results(self, inputs: list[_Input]) -> tuple[tuple[str, str], ...]:
        """Write to each result, as its owner may; which of them share memory with an input, or with each other.

        Whoever holds the inputs sees what was written there, and so does who reads an earlier value once more.
        """
        shared: list[tuple[str, str]] = []
        overlap = self._numpy.may_share_memory
        lying = {each.name: each.view for each in inputs if each.view is not None}
        others: dict[str, Any] = {}
        turn = self._calls % len(BITS)
        for name, (array, result) in self._arrays.items():
            if not array.size or not array.flags.writeable:
                continue
            if overlap(array, self._whole) or self._apart or not all(view.flags.writeable for view in lying.values()):
                shared += [(name, other) for other, view in lying.items() if overlap(array, view)]
            shared += [(name, other) for other, view in others.items() if overlap(array, view)]
            others[name] = array
            dtype = array.dtype
            if not array.flags.c_contiguous:
                raw = self._numpy.ascontiguousarray(array).reshape(-1).view(self._numpy.uint8) ^ BITS[turn]
                array[...] = raw.view(dtype).reshape(array.shape)
            elif array.size <= SMALL and dtype.isnative and dtype.char in PLAIN:
                memoryview(array).cast("B")[:] = result.data.translate(INVERTED[turn])
            else:
                raw = array.reshape(-1).view(self._numpy.uint8)
                raw ^= BITS[turn]
        return tuple(shared)

    def _read_back(self, each: _Input, after: dict[str, Result | bytes | None]) -> None:
        """What the framework's own copy of an input holds, unless it lies in the driver's memory, or is large."""
        if each.view is None:
            try:
                after[each.name] = wire.pack(each.tensor)
            except Exception:
                after[each.name] = None
            return
        view = each.view
        if view.size > SMALL or each.kind in self._shared:
            return
        try:
            now = self.backend.array(each.tensor)
            # Where the framework converts (64-bit labels to 32-bit), its copy is not comparable with what was sent.
            if isinstance(now, self._numpy.ndarray) and (now.dtype, now.shape) == (view.dtype, view.shape):
                if self._numpy.may_share_memory(now, view):
                    self._shared.add(each.kind)
                else:
                    after[each.name] = _result(now)
        except BaseException as error:  # a buffer that was given away, for one
            self._fault(error)
            after[each.name] = None

    def _fault(self, error: BaseException) -> Fault:
        # In a backend's process nobody sends Ctrl-C, so that there the framework itself must have raised it.
        if issubclass(type(error), KeyboardInterrupt) and not self._isolated:
            raise error
        return self._blame.failure(error)


class _Counts:
    """What had been counted at a moment: a number for each of :data:`COUNTS`, None where unknown, and the reasons."""

    __slots__ = ("known", "reasons")

    def __init__(self, known: dict[str, Any], reasons: dict[Any, Any]) -> None:
        self.known, self.reasons = known, reasons

    def since(self, before: _Counts) -> Compiled:
        """What has been counted in between; a counter that was set back has counted nothing."""
        grown = {name: _grown(now, before.known[name]) for name, now in self.known.items()}
        reasons: dict[str, int] = {}
        for reason, count in self.reasons.items():
            more = int(count) - int(before.reasons.get(reason, 0))
            if more > 0 and len(reasons) < MOST_REASONS:
                reasons[_first_line(reason)] = more
        calls, uncompiled, graphs = (grown[name] or 0 for name in ("calls", "uncompiled", "graphs"))
        return Compiled(calls, uncompiled, graphs, grown["ran"], grown["breaks"], grown["cached"], reasons)


def _grown(now: Any, then: Any) -> int | None:
    return None if now is None or then is None else max(0, int(now) - int(then))


def _first_line(reason: object) -> str:
    """Explanations and hints stand below it."""
    return clean(reason).partition("\n")[0][:MOST_OF_A_REASON]


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


def _lies_elsewhere(found: contract.Memory, asked: contract.Memory, shape: tuple[int, ...], *, shared: bool) -> bool:
    """Whether a tensor lies otherwise than was asked; an axis of one position has no stride."""
    if 0 in shape:
        return False
    if len(found.strides) != len(shape) or found.offset != asked.offset:
        return True
    pairs = zip(found.strides, asked.strides, shape, strict=True)
    return any(here != there for here, there, extent in pairs if extent > 1) or (
        shared and found.address != asked.address
    )


def _takes(method: Any, name: str) -> bool:
    """Whether a method names a parameter; ``**options`` that take anything promise nothing."""
    return name in inspect.signature(method).parameters


def _named(names: tuple[str, ...], results: Any) -> Any:
    fits = isinstance(results, tuple) and len(results) == len(names)
    return dict(zip(names, results, strict=True)) if fits else results


def _is_number(dtype: Any) -> bool:
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.name.startswith(("bfloat", "float")))


def _is_scalar(kind: type, numpy: Any) -> bool:
    """Whether a type is one of NumPy's own scalars, which a reduction to one number gives."""
    return issubclass(kind, numpy.generic) and numpy.dtype(kind).type is kind


def stride_of(size: int) -> int:
    """Of a large result of ``size`` elements, every so many-th is read again."""
    return size // SOME | 1


def _result(array: Any) -> Result:
    dtype, data = array.dtype, array.tobytes()
    if dtype.char in EXTENDED:
        data = without_gaps(dtype, data)
    return Result(dtype.type.__name__ if dtype.isnative else dtype.str, array.shape, data)


def without_gaps(dtype: Any, data: bytes) -> bytes:
    """The bytes of extended numbers; where these have 80 bits in 128, the rest is nobody's, and differs each time."""
    import numpy

    if numpy.finfo(numpy.longdouble).nmant != 63:
        return data
    numbers = numpy.frombuffer(data, "u1").reshape(-1, numpy.dtype(numpy.longdouble).itemsize).copy()
    if dtype.isnative:
        numbers[:, 10:] = 0
    else:
        numbers[:, :-10] = 0
    return bytes(numbers.tobytes())


def _texts(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    texts = dict.fromkeys(clean(f"{each.category.__name__}: {each.message}") for each in caught)
    return tuple(texts)[:MOST_WARNINGS]

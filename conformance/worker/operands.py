"""The inputs of a call: from the memory that the driver owns to tensors of the framework, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from conformance.worker import wire
from conformance.worker.faults import Blame, Failed
from conformance.worker.held import hold_builtins, hold_numpy
from conformance.worker.outputs import SMALL, result_of
from conformance.worker.wire import CallOrder, Fault, Operand, Plain, Result, clean

if TYPE_CHECKING:
    from conformance.backends import contract
    from conformance.backends.contract import Backend

__all__ = ["Input", "Operands"]

hold_builtins(globals())

CACHE_LINE = 64  # bytes: what a framework may ask of the address of an array that it shares


class Input:
    """One input: its view of the driver's memory (``None`` for a Python object) and the framework's tensor.

    ``kind`` is what a framework goes by when it decides whether to make a copy.
    """

    __slots__ = ("kind", "name", "tensor", "view")

    def __init__(self, name: str, view: Any, tensor: Any, kind: Any = None) -> None:
        self.name, self.view, self.tensor, self.kind = name, view, tensor, kind


class Operands:
    """Makes the inputs of ``backend``'s calls, one call after the other."""

    def __init__(self, backend: Backend, blame: Blame) -> None:
        from conformance.backends import contract

        self._backend, self._blame, self._numpy = backend, blame, hold_numpy()
        self._memory_of = contract.Memory.of
        self._dtypes: dict[str, Any] = {}
        self._shared: set[tuple[Any, ...]] = set()  # the kinds of arrays of which the framework makes no copy
        self._apart: list[tuple[Any, Any]] = []  # the numbers of those that are far apart, and where they are given
        self._protected: Any = None
        self._logits = 0  # where the memory of a call's logits begins
        self._spacing = 1  # of the positions of a call

    @property
    def are_apart(self) -> bool:
        """Whether some lie in memory of their own, far apart."""
        return bool(self._apart)

    def put_back(self) -> None:
        """Copy those that lie far apart to where the driver sees what was written to them."""
        for numbers, around in self._apart:
            numbers[...] = around
        self._apart, self._protected = [], None

    def given(self, call: CallOrder, memory: Any, protected: Any) -> Iterator[Input]:
        """The inputs of ``call``, whose operands lie in the buffer ``memory``.

        ``protected`` is the same, where whoever writes to it ends the process. Raises Failed where the framework lacks
        a layout.
        """
        self._apart, self._protected = [], protected
        self._spacing = call.spacing
        self._logits = call.logits.memory[0] if call.logits.memory else call.logits.offset
        yield self._input("logits", call.logits, memory)
        for name, operand in call.operands.items():
            yield self._input(name, operand, memory)
        if call.upstream is not None:
            yield self._input("upstream", call.upstream, memory)
        if call.tangent is not None:
            yield self._input("tangent", call.tangent, memory)
        if call.other_logits is not None:
            yield self._input("other_logits", call.other_logits, memory)

    def _input(self, name: str, operand: Operand | Plain, memory: Any) -> Input:
        if isinstance(operand, Plain):
            return Input(name, None, wire.unpack(operand.packed))
        dtype = self._dtypes.get(operand.dtype)
        if dtype is None:
            if operand.dtype == "bfloat16":
                import ml_dtypes  # noqa: F401  # NumPy knows the name from then on
            dtype = self._dtypes[operand.dtype] = self._numpy.dtype(operand.dtype)
        kind = (operand.dtype, operand.shape, operand.strides, operand.offset % CACHE_LINE)
        if operand.far_apart:
            count, *inner = operand.shape
            numbers = self._numpy.ndarray((count + 2, *inner), dtype, memory, operand.offset)
            view = self._reserved(numbers)
            return Input(name, view, self._exact(view, shared=False), kind)
        if operand.memory is None:
            view = self._numpy.ndarray(operand.shape, dtype, memory, operand.offset, operand.strides)
            if self._spacing > 1 and name != "weight":
                view = self._reserved(view, self._spacing)
            return Input(name, view, self._backend.tensor(view), kind)
        start, size = operand.memory
        memory = self._protected if operand.read_only else memory
        whole = self._numpy.ndarray((size // dtype.itemsize,), dtype, memory, start)
        whole.flags.writeable = not operand.read_only
        view = self._numpy.ndarray(operand.shape, dtype, whole, operand.offset - start, operand.strides)
        if not operand.exact:
            return Input(name, view, self._backend.tensor(view), kind)
        return Input(name, view, self._exact(view, shared=name != "logits" and start == self._logits), kind)

    def _reserved(self, numbers: Any, spacing: int = 0) -> Any:
        """A view of memory of their own, in which positions lie so far apart, or by default as no 32 bits can say."""
        from conformance.worker.reserved import among_zeros, spread

        try:
            own, view = among_zeros(numbers, spacing) if spacing else spread(numbers)
        except OSError as error:
            message = clean(f"there is too little address space for positions far apart: {error}")
            raise Failed(Fault("unsupported", "Unsupported", message)) from error
        self._apart.append((numbers, own))
        return view

    def _exact(self, view: Any, *, shared: bool) -> Any:
        """A tensor in the very layout of ``view``, and at its address if ``shared`` with the logits.

        A framework that has no such tensors lacks the feature.
        """
        try:
            tensor = self._backend.view(view)
            found = self._backend.memory(tensor)
        except Exception as error:
            fault = self._blame.failure(error)
            raise Failed(Fault("unsupported", fault.type, fault.message, fault.file, fault.line)) from error
        asked = self._memory_of(view)
        if found is None or _lies_elsewhere(found, asked, view.shape, shared=shared):
            kept = "does not say how its tensors lie" if found is None else "makes a copy that lies otherwise"
            raise Failed(Fault("unsupported", "Unsupported", f"the framework {kept} in memory"))
        return tensor

    def read_back(self, each: Input, after: dict[str, Result | bytes | None]) -> None:
        """What the framework's own copy of an input holds, unless it lies in the driver's memory, or is large.

        It is large, too, where the positions that are given are a sample.
        """
        if each.view is None:
            try:
                after[each.name] = wire.pack(each.tensor)
            except Exception:
                after[each.name] = None
            return
        view = each.view
        if view.size > SMALL or self._spacing > 1 or each.kind in self._shared:
            return
        try:
            now = self._backend.array(each.tensor)
            # Where the framework converts (64-bit labels to 32-bit), its copy is not comparable with what was sent.
            if isinstance(now, self._numpy.ndarray) and (now.dtype, now.shape) == (view.dtype, view.shape):
                if self._numpy.may_share_memory(now, view):
                    self._shared.add(each.kind)
                else:
                    after[each.name] = result_of(now)
        except BaseException as error:  # a buffer that was given away, for one
            self._blame.failure(error)
            after[each.name] = None


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

"""The results of a call: from tensors of the framework to bytes, and whether later calls spare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.worker.faults import Blame
from conformance.worker.held import hold_builtins, hold_numpy, math
from conformance.worker.wire import CallOrder, Result, clean, largest_result, spread_extent

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

__all__ = [
    "EXTENDED",
    "INVERTED",
    "KEPT",
    "LARGEST_KEPT",
    "LARGEST_WHOLE",
    "READINGS_OF_LARGE",
    "SMALL",
    "Outputs",
    "result_of",
    "stride_of",
    "without_gaps",
]

hold_builtins(globals())

SMALL = 4096  # elements: above this, the framework's copy of an input is not read back
LARGEST_KEPT = 1 << 21  # elements: above this, a result is not kept
LARGEST_WHOLE = 1 << 17  # elements: above this, some of a result's elements are read again
SOME = 1 << 12  # so many of them, or a few more
EXTENDED = "gG"  # NumPy's characters for the dtypes whose numbers may have gaps between them
PLAIN = "?bBhHiIlLqQfd"  # those that a memoryview knows, too
#: Bits of each byte that are inverted in what is written to results: calls 1, 2, 4 and 8 apart invert others, so that
#: a buffer shows who wrote to it last even where all of them wrote the same numbers. None is two others together.
BITS = (0xFF, 0xF3, 0x0F)
INVERTED = tuple(bytes(byte ^ bits for byte in range(256)) for bits in BITS)  # every byte to what is written
#: Calls whose results are kept: a buffer that up to so many use in turn has been written to when they are read again.
KEPT = 8
READINGS_OF_LARGE = 2  # of a large result, after which it is not kept any longer


class _Kept:
    """The tensors of a call's results; ``times`` that they were read again.

    ``sizes`` are in elements, of results that have more bytes than a small one may have elements.
    """

    __slots__ = ("sizes", "tensors", "times")

    def __init__(self, tensors: dict[str, Any], sizes: dict[str, int]) -> None:
        self.tensors, self.sizes, self.times = tensors, sizes, 0

    def forget(self, above: int) -> None:
        for name, size in self.sizes.items():
            if size > above:
                self.tensors.pop(name, None)


class Outputs:
    """Reads what ``backend``'s calls give; ``tensors`` are the results of the present one."""

    def __init__(self, backend: Backend, blame: Blame) -> None:
        self._backend, self._blame, self._numpy = backend, blame, hold_numpy()
        self._types = tuple(backend.tensor_types)
        self._arrays_and_scalars = (self._numpy.ndarray, self._numpy.generic)
        self._largest = 0  # bytes of a result
        self._spacing = 1  # of the positions that are asked for
        self._extent = 0  # along axis 0, of all that lie so far apart
        self.tensors: dict[str, Any] = {}
        self._kept: dict[int, _Kept] = {}  # those of the last calls, by their nonces
        self._arrays: dict[str, tuple[Any, Result]] = {}  # of the results of a call, and their bytes
        self._calls = 0

    # -- of the present call ------------------------------------------------------------------------------------------

    def begin(self, call: CallOrder) -> None:
        """Be ready for the results of ``call``."""
        self.tensors, self._arrays = {}, {}
        self._largest, self._spacing = largest_result(call), call.spacing
        if call.spacing > 1:
            self._extent = spread_extent(call.logits.shape[0], call.spacing)
        self._calls += 1

    def read(self, what: str, tensor: Any, like: Any) -> Any:
        """The array of ``tensor``. One that fails only now fails in the framework; anything else is not a tensor.

        Raises the error that blames the adapter, or the framework's own.
        """
        kind = type(tensor)
        if self._types and not any(kind is each for each in self._types) and not _is_scalar(kind, self._numpy):
            raise self._blame.wrong_return(what, tensor, "it is not exactly of the framework's own type")
        try:
            array = self._backend.array(tensor)
        except BaseException as error:
            if isinstance(tensor, type(like)):
                raise
            fault = self._blame.failure(error)
            raise self._blame.wrong_return(what, tensor, f"{fault.type}: {fault.message}") from error
        if not isinstance(array, self._arrays_and_scalars) or not _is_number(array.dtype):
            is_array = isinstance(array, self._numpy.ndarray)
            found = f"dtype {array.dtype}" if is_array else f"type {type(array).__name__}"
            raise self._blame.wrong_return(what, tensor, clean(found))
        if array.nbytes > self._largest:
            raise self._blame.wrong_return(what, tensor, f"it has {array.nbytes} bytes, and the logits far less")
        return self._numpy.asarray(array)

    def taken(self, name: str, tensor: Any, array: Any) -> Result:
        """A result's bytes; tensor and array are remembered, to be read again and to be written to.

        Not where it has more positions than are asked for: it may be all that the memory has room for.
        """
        if self._spacing > 1:
            return result_of(self._sample(array) if array.ndim else array)
        self.tensors[name] = tensor
        result = result_of(array)
        self._arrays[name] = array, result
        return result

    def _sample(self, array: Any) -> Any:
        """The positions that are asked for; too many of them where the result has others behind the last one."""
        sample = array[:: self._spacing]
        return self._numpy.concatenate((sample, array[-1:])) if len(array) > self._extent else sample

    def write(self, given: dict[str, Any], whole: Any, *, apart: bool) -> tuple[tuple[str, str], ...]:
        """Write to each result, as its owner may; which of them share memory with an input, or with each other.

        ``given`` are the inputs' arrays, which lie in ``whole``, but for some where they are ``apart``. Whoever holds
        the inputs sees what was written there, and so does who reads an earlier value once more.
        """
        shared: list[tuple[str, str]] = []
        overlap = self._numpy.may_share_memory
        apart = apart or not all(view.flags.writeable for view in given.values())
        others: dict[str, Any] = {}
        turn = self._calls % len(BITS)
        for name, (array, result) in self._arrays.items():
            if not array.size or not array.flags.writeable:
                continue
            if apart or overlap(array, whole):
                shared += [(name, other) for other, view in given.items() if overlap(array, view)]
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

    # -- of the last calls, to see whether the next ones spare them ----------------------------------------------------

    def keep(self, nonce: int, results: dict[str, Result]) -> None:
        """Keep what a call gave until it has been read again, as far as it is remembered."""
        if self._spacing > 1:
            return
        sizes = {name: math.prod(each.shape) for name, each in results.items() if len(each.data) > SMALL}
        kept = {name: self.tensors[name] for name in results if sizes.get(name, 0) <= LARGEST_KEPT}
        self._kept[nonce] = _Kept(kept, sizes)
        self.tensors, self._arrays = {}, {}
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def forget(self, above: int) -> None:
        """Give the memory of results of more than so many elements back."""
        for each in self._kept.values():
            each.forget(above)

    def read_again(self, nonce: int) -> dict[str, Result]:
        """What the framework says now of the results of an earlier call, as far as it does."""
        found: dict[str, Result] = {}
        kept = self._kept.get(nonce)
        if kept is None:
            return found
        kept.times += 1
        for name, tensor in kept.tensors.items():
            try:
                array = self._numpy.asarray(self._backend.array(tensor))
                large = array.size > LARGEST_WHOLE
                found[name] = result_of(array.flat[:: stride_of(array.size)] if large else array)
            except BaseException as error:  # it has been given away, for one
                self._blame.failure(error)
        if kept.times == READINGS_OF_LARGE:
            kept.forget(LARGEST_WHOLE)
        return found


def _is_number(dtype: Any) -> bool:
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.name.startswith(("bfloat", "float")))


def _is_scalar(kind: type, numpy: Any) -> bool:
    """Whether a type is one of NumPy's own scalars, which a reduction to one number gives."""
    return issubclass(kind, numpy.generic) and numpy.dtype(kind).type is kind


def stride_of(size: int) -> int:
    """Of a large result of ``size`` elements, every so many-th is read again."""
    return size // SOME | 1


def result_of(array: Any) -> Result:
    """An array as it travels."""
    dtype, data = array.dtype, array.tobytes()
    if dtype.char in EXTENDED:
        data = without_gaps(dtype, data)
    return Result(dtype.type.__name__ if dtype.isnative else dtype.str, array.shape, data)


def without_gaps(dtype: Any, data: bytes) -> bytes:
    """The bytes of extended numbers; where these have 80 bits in 128, the rest is nobody's, and differs each time."""
    numpy = hold_numpy()
    if numpy.finfo(numpy.longdouble).nmant != 63:
        return data
    numbers = numpy.frombuffer(data, "u1").reshape(-1, numpy.dtype(numpy.longdouble).itemsize).copy()
    if dtype.isnative:
        numbers[:, 10:] = 0
    else:
        numbers[:, :-10] = 0
    return bytes(numbers.tobytes())

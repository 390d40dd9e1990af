"""Kinds in which what comes back is not what it looks like."""

from __future__ import annotations

import itertools
import sys
import threading
from typing import Any

import ml_dtypes
import numpy as np

from tests.faults.table import kind


class Subclass(np.ndarray):
    """An array that answers for itself."""

    def tobytes(self, order: Any = "C") -> bytes:
        return b""


class Lazy:
    """Computes when it is asked."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.value


def _returns(name: str, what: str, of: Any, verdict: str = "error", error: str = "", **checks: str) -> None:
    def act(value: Any, logits: Any) -> Any:
        return of(value)

    act.__name__, act.__doc__ = name, what
    kind(verdict, error, **checks)(act)


_returns("nothing", "None.", lambda value: None, error="NoneType")
_returns("a list", "Nested lists.", lambda value: value.tolist(), error="list")
_returns("a generator", "A generator of rows.", lambda value: (row for row in value), error="generator")
_returns("endless rows", "An iterator without end.", lambda value: itertools.repeat(value), error="repeat")
_returns("a pair", "A tuple.", lambda value: (value, value), error="tuple")
_returns("a subclass", "An array of a class that answers for itself.", lambda v: v.view(Subclass), error="Subclass")
_returns("a matrix", "np.matrix.", lambda value: np.asmatrix(value), error="matrix")
_returns("a masked array", "np.ma.", lambda value: np.ma.masked_array(value), error="MaskedArray")
_returns("a lazy object", "An object with ``__array__``.", Lazy, error="Lazy")
_returns("a view of memory", "A memoryview.", lambda value: memoryview(value), error="memoryview")
_returns("a text", "A text.", lambda value: "right", error="str")
_returns("an array of objects", "dtype object.", lambda value: value.astype(object), error="object")
_returns("an array of texts", "dtype of texts.", lambda value: value.astype(str), error="<U")
_returns("records", "A structured dtype.", lambda v: v.view([("a", "f8")]), error="dtype")
_returns("dates", "dtype datetime64.", lambda value: value.view("datetime64[s]"), error="datetime64")
_returns("nothing many times", "A dtype of no bytes.", lambda v: np.zeros(v.shape, "V0"), error="dtype")
_returns("four bits", "int4.", lambda value: value.astype(ml_dtypes.int4), error="dtype")
# Halves, as a sum that is rounded may be 1 by chance.
_returns("eight bits", "float8.", lambda v: (v / 2).astype(ml_dtypes.float8_e4m3fn), "fail", probability_sum="fail")
_returns("complex numbers", "dtype complex128.", lambda value: value.astype(complex), "fail")
_returns(
    "another dtype",
    "float32 for float64.",
    lambda value: (value / 2).astype(np.float32),
    "fail",
    probability_sum="fail",
)
_returns("extended precision", "longdouble.", lambda value: value.astype(np.longdouble), "fail")
_returns("another shape", "An axis too many.", lambda value: value[None], "fail", gradient="fail")
_returns(
    "as many axes as there can be",
    "64 axes.",
    lambda value: value.reshape(*[1] * 62, *value.shape),
    "fail",
    gradient="fail",
)
_returns("an empty array", "No element.", lambda value: value[:0], "fail", gradient="fail")
_returns("a scalar", "One number.", lambda value: value.sum(), "fail", gradient="fail")
_returns("a giant", "256 MiB where 24 bytes are due.", lambda value: np.zeros(1 << 25), "error", "the logits far less")
_returns(
    "a giant that is not there",
    "A terabyte by strides of 0.",
    lambda v: np.broadcast_to(v[0, 0], (1 << 37,)),
    "error",
    "the logits far less",
)
_returns("NaN", "Every element NaN.", lambda value: value * np.nan, "fail")


@kind("fail")
def in_the_other_byte_order(value: Any, logits: Any) -> Any:
    """The right numbers, most significant byte first."""
    return value.astype(">f8")


@kind()
def a_strided_view(value: Any, logits: Any) -> Any:
    """The right numbers, every other one of a read-only array, backwards."""
    wide = np.repeat(value[:, ::-1], 2, axis=1)
    wide.flags.writeable = False
    return wide[:, ::-2]


@kind("fail", unmodified="fail", gradient="fail", probability_sum="fail")
def computes_in_place(value: Any, logits: Any) -> Any:
    """The result is written over the logits."""
    logits[...] = value + 1
    return logits


@kind(unmodified="fail")
def leaves_a_mark_in_the_logits(value: Any, logits: Any) -> Any:
    """One logit gets another last bit."""
    logits[0, 2] = np.nextafter(logits[0, 2], 9)
    return value


@kind()
def puts_the_logits_back(value: Any, logits: Any) -> Any:
    """The logits are overwritten meanwhile, and are what they were when the call returns."""
    before = logits.copy()
    logits[...] = 0
    logits[...] = before
    return value


_counter = itertools.count()


@kind(repeatable="fail")
def depends_on_the_calls_before(value: Any, logits: Any) -> Any:
    """The last bits change from call to call, within the bound."""
    return value * (1 + next(_counter) * 2.0**-52)


@kind("error", "Slow")
def hangs_when_looked_at(value: Any, logits: Any) -> Any:
    """A result that never comes back from a look at it."""

    class Slow(np.ndarray):
        def __getattribute__(self, name: str) -> Any:
            for _ in itertools.count():
                pass

    return value.view(Slow)


@kind("error", "Equal")
def is_of_every_class(value: Any, logits: Any) -> Any:
    """A class that equals NumPy's own."""

    class Meta(type):
        def __eq__(cls, other: object) -> bool:
            return True

        def __hash__(cls) -> int:
            return hash(np.ndarray)

    class Equal(Lazy, metaclass=Meta):
        pass

    return Equal(value)


@kind("error")
def changes_its_class_when_read(value: Any, logits: Any) -> Any:
    """``__class__`` says ndarray."""

    class Claims(Lazy):
        __class__ = np.ndarray  # type: ignore[assignment]

    return Claims(value)


@kind("fail", gradient="fail", unmodified="fail")
def writes_over_everything(value: Any, logits: Any) -> Any:
    """The memory that its logits lie in, and the inputs of all calls beside them, is overwritten."""
    memory = logits
    while isinstance(memory, np.ndarray):
        memory = memory.base
    memory[:] = b"\1" * len(memory)
    return value


@kind(unmodified="fail")
def lets_a_thread_write_into_the_logits(value: Any, logits: Any) -> Any:
    """Another thread changes the last bits of the logits."""
    other = threading.Thread(target=np.nextafter, args=(logits, 9.0, logits))
    other.start()
    other.join()
    return value


@kind()
def keeps_writing(value: Any, logits: Any) -> Any:
    """A thread goes on with a copy of the logits after the call has returned."""
    copy = logits.copy()

    def write() -> None:
        for _ in range(1000):
            copy[...] += 1

    threading.Thread(target=write, daemon=True).start()
    return value


@kind()
def refers_to_itself(value: Any, logits: Any) -> Any:
    """Garbage in circles, and a reference too many to the result."""
    circle: list[Any] = [value]
    circle.append(circle)
    sys.modules["tests.faults.kept"] = value
    del sys.modules["tests.faults.kept"]
    return value

"""Kinds in which a call goes well, and leaves something behind by which the calls of other cases go wrong."""

from __future__ import annotations

import ctypes
import decimal
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.faults.faulty import Faulty
from tests.faults.table import STEP, kind, number_of

later = partial(kind, group="later", process="fail")


def _from_now_on(change: Callable[[Any], Any]) -> None:
    """Have the values of all other calls pass through ``change``."""
    before = Faulty.softmax

    def softmax(self: Faulty, logits: Any, *, axis: int | None) -> Any:
        value = before(self, logits, axis=axis)
        return value if number_of(logits) else change(value)

    Faulty.softmax = softmax  # type: ignore[method-assign]


@later(error="SIGSEGV")
def the_next_call_crashes(value: Any, logits: Any) -> Any:
    """The process ends at the next call of another case."""
    _from_now_on(lambda _: os.kill(os.getpid(), 11))
    return value


@later(error="TimeoutError", seconds=5.0)
def the_next_call_hangs(value: Any, logits: Any) -> Any:
    """The next call of another case does not come back."""
    _from_now_on(lambda _: time.sleep(3600))
    return value


@later(error="device-side assert")
def every_call_raises_from_then_on(value: Any, logits: Any) -> Any:
    """An error that sticks, as that of a device does."""

    def sticks(_: Any) -> Any:
        raise RuntimeError("device-side assert triggered")

    _from_now_on(sticks)
    return value


@kind("fail", "device-side assert", group="later", process="fail")
def raises_an_error_that_sticks(value: Any, logits: Any) -> Any:
    """The same, and its own call raises it, too."""
    return every_call_raises_from_then_on(value, logits) is None or _stuck()


def _stuck() -> Any:
    raise RuntimeError("device-side assert triggered")


@later()
def every_value_is_wrong_from_then_on(value: Any, logits: Any) -> Any:
    """Other values, without an error."""
    _from_now_on(lambda value: value * 1.25)
    return value


@later("fail", gradient="fail")
def replaces_a_function_of_numpy(value: Any, logits: Any) -> Any:
    """``numpy.exp`` is another function."""
    np.exp = np.exp2
    return value


@later()
def computes_with_fewer_digits(value: Any, logits: Any) -> Any:
    """A setting of ``decimal``, by which later values are rounded."""
    decimal.getcontext().prec = 2
    _from_now_on(lambda value: value * float(decimal.Decimal(1) / 3 * 3))
    return value


@later()
def fills_a_cache(value: Any, logits: Any) -> Any:
    """Its own value is what others are given that have its shape."""
    _from_now_on(lambda other: value if other.shape == value.shape else other)
    return value


@later()
def lowers_the_limit_of_its_memory(value: Any, logits: Any) -> Any:
    """``RLIMIT_AS``: what a later call needs is not to be had."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
    _from_now_on(lambda value: value + 0 * np.ones(1 << 24)[0])
    return value


@later(error="exit code 8")
def the_first_case_crashes(value: Any, logits: Any) -> Any:
    """The process ends when the case that it was asked first comes again."""
    before = Faulty.softmax

    def softmax(self: Faulty, logits: Any, *, axis: int | None) -> Any:
        if logits.size and logits.flat[0] == -STEP:
            os._exit(8)
        return before(self, logits, axis=axis)

    Faulty.softmax = softmax  # type: ignore[method-assign]
    return value


@later(error="exit code 9")
def what_nobody_can_raise_ends_the_process(value: Any, logits: Any) -> Any:
    """The hook for errors that are lost, which the next calls have."""
    sys.unraisablehook = lambda *_: os._exit(9)

    class Raises:
        def __del__(self) -> None:
            raise ValueError

    _from_now_on(lambda value: (Raises(), value)[1])
    return value


@later(error="ImportError")
def denies_an_import(value: Any, logits: Any) -> Any:
    """Nothing can be imported any more, and the next calls do."""

    class Denies:
        def find_spec(self, *_: Any) -> Any:
            raise ImportError("denied")

    def imports(value: Any) -> Any:
        sys.modules.pop("colorsys", None)
        __import__("colorsys")
        return value

    sys.meta_path.insert(0, Denies())
    _from_now_on(imports)
    return value


@later(error="SIGFPE")
def stops_at_what_is_invalid(value: Any, logits: Any) -> Any:
    """The processor's traps, at an invalid operation that the next calls make."""
    invalid = 1
    _from_now_on(lambda value: value + 0 * np.isnan(np.zeros(3) / np.float64(0)))
    ctypes.CDLL("libm.so.6").feenableexcept(invalid)
    return value


@later()
def a_thread_goes_on_writing(value: Any, logits: Any) -> Any:
    """A thread that writes to the memory of all operands, from the next call of another case on."""
    shared = logits
    while isinstance(shared, np.ndarray):
        shared = shared.base
    begun = threading.Event()

    def write() -> None:
        begun.wait()
        while True:
            np.frombuffer(shared, np.uint8)[: 1 << 16] = 0x3F
            time.sleep(0.0005)

    threading.Thread(target=write, daemon=True).start()
    _from_now_on(lambda value: (begun.set(), value)[1])
    return value

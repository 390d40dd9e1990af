"""Kinds in which a call goes well, and leaves something behind by which the calls of other cases go wrong."""

from __future__ import annotations

import decimal
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.faults.table import kind, number_of

later = partial(kind, group="later", process="fail")


def _from_now_on(change: Callable[[Any], Any]) -> None:
    """Have the values of all other calls pass through ``change``."""
    from tests.faults.backend import Faulty

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


@later("fail", gradient="fail", repeatable="fail")
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


@later(error="MemoryError")
def lowers_the_limit_of_its_memory(value: Any, logits: Any) -> Any:
    """``RLIMIT_AS``: what a later call needs is not to be had."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
    _from_now_on(lambda value: value + 0 * np.ones(1 << 24)[0])
    return value

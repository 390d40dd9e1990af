"""Three backends of one code, for the self-check: two equals, and one whose work really takes a tenth longer."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call

SLOWDOWN = 0.10


class Old(Numpy):
    """One run of the code."""


class New(Numpy):
    """Another run of it."""


class Slow(Numpy):
    """A run of code that is slower: after each call it is busy for a share of the time which the call took."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        return prolonged(lambda: super(Slow, self).evaluate(call, logits))

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> Any:
        return prolonged(lambda: super(Slow, self).differentiate(call, logits, upstream))


def prolonged(work: Callable[[], Any], share: float = SLOWDOWN) -> Any:
    """The result of ``work``, once ``share`` of its time more has passed."""
    begin = perf_counter()
    result = work()
    end = perf_counter()
    until = end + share * (end - begin)
    while perf_counter() < until:
        pass
    return result

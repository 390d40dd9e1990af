"""The canary: a small valid call, whose answer shows whether a process is what it was.

A call that writes where it may not, as one with a label out of range can, often goes well itself; what comes after it
goes wrong. So what the canary is answered is held against what is right, or else against what a process answered of
which nothing had been asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.worker.driver import Driver
from conformance.worker.exchange import Array, Observation, Request

__all__ = ["CANARY", "Canary"]

_LOGITS = np.array([[0.5, -0.25, 1.0], [-1.5, 0.75, 0.125]], np.float32)
_LABELS = np.array([2, 0])
_LOSSES = np.log(np.exp(_LOGITS).sum(axis=1)) - _LOGITS[[0, 1], _LABELS]
NEAR = 1e-5  # absolute and relative: bits may differ where a framework sums in any order

TIMES = 8  # so often a fresh process is asked: one that answers in several ways shows nothing
IN_VAIN = 8  # processes given up for what no call does again by itself: from then on, the canary is not asked

_OPTIONS = (("axis", 1), ("ignore_index", None), ("reduction", "none"))
#: Of the two operations that take labels; the first one alone where a backend compiles for each.
CANARY = (
    Request(
        0,
        "cross_entropy",
        _LOGITS,
        {"targets": _LABELS},
        (*_OPTIONS, ("label_smoothing", None)),
        upstream=np.ones(2, np.float32),
    ),
    Request(
        1, "nll_loss", _LOGITS - np.log(np.exp(_LOGITS).sum(axis=1, keepdims=True)), {"targets": _LABELS}, _OPTIONS
    ),
)


class Canary:
    """Shows of processes of one backend whether they are what they were.

    It shows nothing of a backend that is not deterministic, whose fresh process does not give one answer either.
    """

    def __init__(self) -> None:
        self._first: Sequence[Observation] | None = None
        self._tried = False  # whether a fresh process gives one answer
        self._shows = True
        self._in_vain = 0

    def sound(self, driver: Driver) -> bool:
        """Whether the process answers as a fresh one does; where not, a fresh one has taken its place.

        The first answer that is not right is held against that of the fresh process.
        """
        if not self._shows:
            return True
        asked = CANARY[:1] if driver.compiles else CANARY
        seen = driver.aside(asked)
        if self._first is None and _right(seen[0]):
            self._first = seen
        if self._first is not None and _same(seen, self._first):
            return True
        driver.renew()
        if not self._tried:
            fresh = [driver.aside(asked)]
            while len(fresh) < TIMES and not any(each.failure and each.failure.is_death for each in fresh[-1]):
                fresh.append(driver.aside(asked))
            driver.renew()
            self._first = self._first or fresh[0]
            self._tried = True
            self._shows = all(_same(each, self._first) for each in fresh)
        assert self._first is not None
        return not self._shows or _same(seen, self._first)

    def in_vain(self) -> None:
        """Note that a process was given up, and no call does that again which it was given up for."""
        self._in_vain += 1
        self._shows = self._shows and self._in_vain < IN_VAIN


def _same(seen: Sequence[Observation], first: Sequence[Observation]) -> bool:
    return all(map(_alike, seen, first))


def _right(seen: Observation) -> bool:
    return seen.failure is None and _near(seen.value, _LOSSES.astype(np.float32))


def _alike(one: Observation, other: Observation) -> bool:
    if any(each.failure is not None and each.failure.kind == "not run" for each in (one, other)):
        return True  # there is no process any more
    failures = [(each and each.kind, each and each.type) for each in (one.failure, other.failure)]
    late = [each.gradient_failure and each.gradient_failure.type for each in (one, other)]
    same = failures[0] == failures[1] and late[0] == late[1] and one.modified == other.modified
    return same and one.died is None and _near(one.value, other.value) and _near(one.gradient, other.gradient)


def _near(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None:
        return one is other
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return bool(np.allclose(one, other, rtol=NEAR, atol=NEAR, equal_nan=True))

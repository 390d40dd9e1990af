"""The canary shows a spoilt process, and accuses no backend that merely answers in several ways."""

from __future__ import annotations

from itertools import count
from typing import Any

from conformance.backends.adapters.numpy import Numpy
from conformance.worker.canary import IN_VAIN, Canary
from conformance.worker.session import InlineSession


class Scaled(Numpy):
    """Its loss is ``factor`` times what it is, and ``noise`` more of that in each call."""

    factor = 1.0
    noise = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.calls = count(1)

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        value = super().cross_entropy(logits, targets, **options)
        return (value * (self.factor + self.noise * next(self.calls))).astype(value.dtype)


class Renewed(InlineSession):
    """A session whose fresh process has lost what spoilt the one before."""

    def __init__(self, backend: Scaled) -> None:
        super().__init__(backend)
        self.backend = backend

    def _renew(self) -> None:
        self.backend.factor = 1.0


def test_a_spoilt_process_is_shown_also_where_it_is_the_first_that_is_asked() -> None:
    for asked_before in (True, False):
        backend = Scaled()
        session, canary = Renewed(backend), Canary()
        assert not asked_before or canary.sound(session)
        backend.factor = 2.0
        assert not canary.sound(session)
        assert backend.factor == 1.0 and canary.sound(session)


def test_what_is_always_wrong_is_not_damage() -> None:
    backend = Scaled()
    backend.factor = 0.0
    session, canary = InlineSession(backend), Canary()
    assert canary.sound(session) and canary.sound(session)


def test_of_a_backend_that_answers_in_several_ways_it_shows_nothing() -> None:
    for noise_at_first in (0.1, 0.0):
        backend = Scaled()
        backend.noise = noise_at_first
        session, canary = Renewed(backend), Canary()
        assert canary.sound(session)
        backend.noise = 0.1
        assert canary.sound(session) and canary.sound(session)


def test_it_is_asked_no_more_once_processes_were_given_up_in_vain() -> None:
    backend = Scaled()
    session, canary = Renewed(backend), Canary()
    for _ in range(IN_VAIN):
        backend.factor = 2.0
        assert not canary.sound(session)
        canary.in_vain()
    backend.factor = 2.0
    assert canary.sound(session)

"""What a framework has counted of the functions that it compiles, within a backend's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.worker.held import hold_builtins
from conformance.worker.wire import Compiled, clean

if TYPE_CHECKING:
    from conformance.backends.contract import Backend
    from conformance.worker.faults import Blame

__all__ = ["Counter"]

hold_builtins(globals())

MOST_REASONS = 20  # of graph breaks
MOST_OF_A_REASON = 200  # characters
#: The numbers of ``contract.Compilations``.
COUNTS = ("calls", "uncompiled", "graphs", "ran", "breaks", "cached")


class Counter:
    """Reads the counts of ``backend``. Whatever is wrong with them is nothing that a call has done."""

    def __init__(self, backend: Backend, blame: Blame) -> None:
        self._backend, self._blame = backend, blame
        self._compiles = bool(backend.compiles)

    def counts(self) -> _Counts | None:
        """What has been counted so far; None where the framework says nothing, or what is not a count."""
        if not self._compiles:
            return None
        try:
            said = self._backend.compilations()
            if said is None:
                return None
            known = {name: getattr(said, name) for name in COUNTS}
            return _Counts(known, dict(said.reasons))
        except BaseException as error:
            self._blame.failure(error)
            return None

    def since(self, before: _Counts | None) -> Compiled | None:
        """What has been counted since ``before``."""
        after = None if before is None else self.counts()
        if before is None or after is None:
            return None
        try:
            return after.since(before)
        except BaseException as error:
            self._blame.failure(error)
            return None


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

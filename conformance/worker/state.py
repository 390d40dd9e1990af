"""What calls share within a backend's process and should leave as it is, in words that a driver can compare.

Only what is asked of Python, NumPy and the backend itself: a snapshot costs a fraction of a millisecond. It is compared
after every batch, also where every result is right, and names what was changed; the process is then replaced before
anybody is hurt. What no list can name shows by its harm alone: that is searched for only where results are wrong, and
asks the calls again (:mod:`conformance.run.recheck`). Neither does what the other does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from conformance.worker.held import hold_builtins, hold_numpy, math, os, replaced, signal
from conformance.worker.wire import clean

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

__all__ = ["Snapshots", "changes"]

hold_builtins(globals())

#: Variables that compilers and libraries set for themselves when they are first needed, as the frameworks do.
THEIRS = ("CUDA", "KMP", "MPL", "NCCL", "NUMBA", "TRITON", "XLA")
#: A framework starts threads and opens files when it first needs them: only more than this is reported.
FEW_THREADS, FEW_FILES = 32, 64
#: Limits of the system by which later calls fail, or end the process.
LIMITS = ("AS", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "STACK")
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Snapshots:
    """Takes snapshots of the process of ``backend``; what its settings say anew each time is left out."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        first, second = self._settings(), self._settings()
        self._steady = {name for name in first if first[name] == second.get(name)}
        self._variables = _try(_variables, {})
        self._limits = _try(_limits, {})

    def take(self) -> dict[str, str]:
        """Names to values; texts that can be encoded, whatever has become of the process."""
        found: dict[str, Callable[[], Any]] = {
            "working directory": os.getcwd,
            "environment": self._environment,
            "floating-point errors": _numpy_errors,
            "rounding": _rounding,
            "timer": _timers,
            "limits": self._lowered,
            "replaced": lambda: " ".join(replaced()),
            "running threads": lambda: threading.active_count() // FEW_THREADS,
            "open files": lambda: len(os.listdir("/proc/self/fd")) // FEW_FILES,
        }
        taken = {name: clean(_try(ask, "?")) for name, ask in found.items()}
        settings = self._settings()
        return taken | {name: settings.get(name, "?") for name in self._steady}

    def _settings(self) -> dict[str, str]:
        said = _try(self._backend.settings, {})
        return {clean(name): clean(value) for name, value in said.items()} if isinstance(said, Mapping) else {}

    def _environment(self) -> str:
        """The names of the variables that are not as they were at the start."""
        before, now = self._variables, _variables()
        if now == before:
            return ""
        names = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
        theirs = self._set_by_frameworks()
        return " ".join(sorted(name for name in names if name in before or not name.lstrip("_").startswith(theirs)))

    def _set_by_frameworks(self) -> tuple[str, ...]:
        """How the names begin of what frameworks set; asked for once something differs, as it imports all adapters."""
        from conformance.backends import discovery

        return (*THEIRS, *_try(discovery.variables, ()), *_try(lambda: self._backend.variables, ()))

    def _lowered(self) -> str:
        """The names of the limits that are lower than at the start."""
        return " ".join(name for name, limit in _limits().items() if limit < self._limits[name])


def _limits() -> dict[str, float]:
    """The limits that hold; none where the system has no such."""
    try:
        import resource
    except ImportError:
        return {}
    held = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in LIMITS}
    return {name: math.inf if limit == resource.RLIM_INFINITY else limit for name, limit in held.items()}


def _timers() -> bool:
    """Whether a signal is to come, by Python's timers or the system's, which may end the process in another call."""
    if any(signal.getitimer(each)[0] > 0 for each in TIMERS):
        return True
    try:
        with open("/proc/self/timers", "rb") as timers:  # noqa: PTH123 (light)
            return bool(timers.read(1))
    except OSError:
        return False


def _variables() -> dict[str, str]:
    """The environment; as it lies there, for to read it through its mapping takes twenty times as long."""
    lying = getattr(os.environ, "_data", None)
    if isinstance(lying, dict):
        return {os.fsdecode(name): os.fsdecode(value) for name, value in lying.items()}
    return dict(os.environ)


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """What differs, as ``name: before → after``; without the values where they say nothing."""
    differ = [name for name in before if before[name] != after.get(name)]
    mute = ("running threads", "open files", "timer", "working directory")
    return tuple(
        name if name in mute else f"{name}: {before[name] or 'as it was'} → {after.get(name, '?')}" for name in differ
    )


def _try(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except BaseException:
        return otherwise


def _numpy_errors() -> str:
    return ", ".join(f"{kind} {how}" for kind, how in sorted(hold_numpy().geterr().items()))


def _rounding() -> str:
    """The processor's mode, by what sums and quotients come to."""
    one, little, least = (float(text) for text in ("1", "1e-30", "2.2250738585072014e-308"))
    kinds = {(False, False): "to nearest", (True, False): "upwards", (False, True): "downwards or to zero"}
    mode = kinds.get((one + little > one, one - little < one), "unsteady")
    return mode if least / 2 > 0 else f"{mode}, subnormal numbers to zero"

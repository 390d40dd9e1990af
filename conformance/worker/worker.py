"""What runs inside a backend's process.

Importing this module imports no NumPy: thread pools read their environment variables when they are loaded, so
these are set first.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model.errors import UsageError
    from conformance.worker.evaluation import Evaluator
    from conformance.worker.exchange import Description, Observation, Request, Source

__all__ = ["CREATOR", "describe", "perform", "serve", "start", "start_guarded"]

#: Where a specification becomes a backend: ``create(spec, threads, cache) -> Backend``, which also calls ``prepare``.
CREATOR = "conformance.backends.discovery:create"
OPERATIONS = ("softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

_state: dict[str, Any] = {}


def start(
    spec: str, threads: int, log_path: str | None, cache: Path | None = None, creator: str = CREATOR
) -> Description:
    """Make this process the backend ``spec``: its output goes to the log, its thread pools are set, it is created.

    ``log_path`` of ``None`` leaves the output where it is (for use in the engine's own process); ``cache`` is a folder
    for what the framework compiles. Raises what the creator raises.
    """
    if log_path is not None:
        _redirect(log_path)
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    module, _, attribute = creator.partition(":")
    backend = getattr(importlib.import_module(module), attribute)(spec, threads, cache)
    from conformance.worker.evaluation import Evaluator

    _state.update(spec=spec, evaluator=Evaluator(backend))
    return describe()


def start_guarded(spec: str, threads: int, log_path: str, cache: Path, creator: str) -> Description | UsageError:
    """``start`` for the border between processes: whatever goes wrong comes back as an error that can be pickled."""
    from conformance.model.errors import BackendUnavailable, UsageError

    _leave_with_parent()
    try:
        return start(spec, threads, log_path, cache, creator)
    except UsageError as error:
        return error
    except BaseException as error:
        from conformance.worker.faults import brief, innermost_place

        hint = getattr(error, "hint", None)  # what discovery raises explains itself
        if isinstance(hint, str):
            return BackendUnavailable(getattr(error, "problem", brief(error)), hint=hint)
        reason = f"{type(error).__name__}: {brief(error)}"
        return BackendUnavailable(f"backend {spec!r} cannot be loaded: {reason} (at {innermost_place(error)})")


def describe() -> Description:
    """The backend of this process: versions, settings, and the source of each operation."""
    from conformance.worker.exchange import Description
    from conformance.worker.facts import facts_of

    backend = _evaluator().backend
    facts = facts_of(backend)
    return Description(
        name=_state["spec"],
        framework=facts.framework,
        versions=facts.versions,
        device=facts.device,
        mode=facts.mode,
        settings=facts.settings,
        sources={name: _source(type(backend), name) for name in OPERATIONS} | _class_sources(type(backend)),
        overridden=_overridden(type(backend)),
        profile=facts.profile,
        pid=os.getpid(),
    )


def perform(requests: list[Request]) -> list[Observation]:
    """One observation for each request, in their order; failures are observations too."""
    observe = _evaluator().observe
    return [observe(request) for request in requests]


def serve(packed: bytes, watchdog: float | None) -> tuple[float, bytes]:
    """Perform packed requests: the seconds that it took here, and the packed observations.

    After ``watchdog`` seconds, if given, the log receives the stack, so that a hanging call shows where it hangs.
    """
    import faulthandler
    from time import perf_counter

    from conformance.worker.exchange import pack_observations, unpack_requests

    begin = perf_counter()
    if watchdog is not None:
        faulthandler.dump_traceback_later(watchdog, file=2)
    try:
        observations = perform(unpack_requests(packed))
    finally:
        if watchdog is not None:
            faulthandler.cancel_dump_traceback_later()
    return perf_counter() - begin, pack_observations(observations)


def _evaluator() -> Evaluator:
    if "evaluator" not in _state:
        raise RuntimeError("this process has no backend yet: call start first")
    evaluator: Evaluator = _state["evaluator"]
    return evaluator


def _redirect(log_path: str) -> None:
    """Send what is written to the descriptors 1 and 2, by whatever language, to the end of the log."""
    import faulthandler

    sys.stdout.flush()
    sys.stderr.flush()
    # Append mode, so that the engine can cut the file back while this process writes to it.
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    faulthandler.enable(file=2, all_threads=False)


def _leave_with_parent() -> None:
    """Be the head of a process group, so that children go with this process; and go when the engine goes."""
    import multiprocessing
    import threading
    from multiprocessing.connection import wait

    if hasattr(os, "setpgrp"):
        os.setpgrp()
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _source(kind: type, name: str) -> Source:
    import inspect
    import textwrap

    from conformance.worker.exchange import Source
    from conformance.worker.faults import display_path

    try:
        function = inspect.unwrap(getattr(kind, name))
        lines, first = inspect.getsourcelines(function)
        return Source(display_path(inspect.getsourcefile(function) or ""), first, textwrap.dedent("".join(lines)))
    except (AttributeError, OSError, TypeError):
        return Source("", 0, "")


def _class_sources(kind: type) -> dict[str, Source]:
    """``class NAME`` to the class's line and its module's text, most derived first: what an adapter is made of.

    The text of a module that holds several of them stands at the first one only.
    """
    import inspect
    from pathlib import Path

    from conformance.worker.exchange import Source
    from conformance.worker.faults import adapter_classes, display_path

    found: dict[str, Source] = {}
    seen: set[str] = set()
    for each in adapter_classes(kind):
        try:
            file = inspect.getsourcefile(each) or ""
            line = inspect.getsourcelines(each)[1]
            text = "" if file in seen else Path(file).read_text(encoding="utf-8")
        except (OSError, TypeError, UnicodeDecodeError):
            continue
        seen.add(file)
        found[f"class {each.__qualname__}"] = Source(display_path(file), line, text)
    return found


def _overridden(kind: type) -> tuple[str, ...]:
    """Operations that ``kind`` replaces in an adapter that it inherits from, and whose profile it is judged by.

    A class with a profile of its own, such as one framework's adapter built on another's, speaks for itself.
    """
    from conformance.worker.faults import adapter_classes

    own, *inherited = adapter_classes(kind)
    if "profile" in vars(own):
        return ()
    return tuple(name for name in OPERATIONS if name in vars(own) and any(name in vars(each) for each in inherited))

"""Who is at fault when a call raises: the framework, the adapter, or the harness."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any

from conformance.worker.held import hold_builtins, os
from conformance.worker.wire import LONGEST_TEXT, Fault, clean

__all__ = ["Blame", "Failed", "adapter_classes", "adapter_files", "brief", "innermost_place"]

hold_builtins(globals())

HARNESS = str(Path(__file__).parent)
#: Slips of whoever wrote the code that raised; a framework raises them on purpose only from inside itself.
SLIPS = (NameError, AttributeError, ImportError, SyntaxError)


def adapter_classes(kind: type) -> list[type]:
    """The classes that make up an adapter, most derived first: its ancestors up to the contract, and not that."""
    from conformance.backends.contract import Backend

    return [one for one in kind.__mro__ if issubclass(one, Backend) and "is_base" not in vars(one)]


def adapter_files(kind: type) -> frozenset[str]:
    """The files that hold the code of an adapter's classes, the runtime's among them."""
    runtime = getattr(kind, "runs_on", object).__mro__[:-1]
    return frozenset(_code_files([*adapter_classes(kind), *runtime]))


def brief(error: BaseException) -> str:
    """The first 500 characters of an exception's message, whatever its ``__str__`` does."""
    try:
        return clean(str(error))
    except BaseException:
        return "(the message could not be read)"


class Failed(Exception):
    """Carries a fault out of the steps of a call."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class Blame:
    """Turns an exception from a backend's call into a :class:`Fault`, save Ctrl-C where it is not ``isolated``."""

    def __init__(self, kind: type, *, isolated: bool = True) -> None:
        from conformance.backends import contract

        self._isolated = isolated
        self._unsupported = contract.Unsupported
        self._contract = contract.__file__
        self._adapter = adapter_files(kind)

    def failure(self, error: BaseException) -> Fault:
        """The fault that ``error`` stands for, by its type and by the frame that raised it."""
        # In a backend's process nobody sends Ctrl-C, so that there the framework itself must have raised it.
        if issubclass(type(error), KeyboardInterrupt) and not self._isolated:
            raise error
        # By the type itself: what a class or an instance says of its own name and class may be anything.
        name, message = clean(type.__dict__["__name__"].__get__(type(error))), brief(error)
        trace = _trace(error)
        places = [place for place in _frames(trace) if place[0] in self._adapter]
        file, line = places[-1] if places else ("", 0)
        if issubclass(type(error), self._unsupported):
            return Fault("unsupported", name, message, clean(file), line)
        innermost = _innermost_file(trace, error)
        ours = innermost.rpartition(os.sep)[0] == HARNESS
        # A call that does not fit the method's signature fails in the contract's frame, before the adapter is reached.
        misfit = innermost == self._contract and issubclass(type(error), TypeError)
        slip = issubclass(type(error), SLIPS) and (innermost in self._adapter or innermost == self._contract)
        return Fault("adapter" if ours or misfit or slip else "raised", name, message, clean(file), line)

    def wrong_return(self, what: str, result: Any, why: str) -> Failed:
        """The failure of an adapter whose method returned ``result``, which cannot be read as a tensor."""
        text = f"{what} cannot be read as an array: {why}"
        return Failed(Fault("adapter", clean(type(result).__name__), text[:LONGEST_TEXT]))


def innermost_place(error: BaseException) -> tuple[str, int]:
    """The file and line that raised ``error``; an empty name and 0 where it has no traceback."""
    return next(reversed(list(_frames(_trace(error)))), ("", 0))


def _trace(error: BaseException) -> TracebackType | None:
    """The traceback, whatever the error's class makes of that name."""
    return BaseException.__dict__["__traceback__"].__get__(error)


def _code_files(classes: list[type]) -> Iterator[str]:
    for kind in classes:
        for member in vars(kind).values():
            function = inspect.unwrap(getattr(member, "__func__", member))
            if isinstance(function, FunctionType):
                yield function.__code__.co_filename


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _innermost_file(trace: TracebackType | None, error: BaseException) -> str:
    """The file that raised ``error``; a name that a module lacks is missed where it was asked for."""
    files = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if not (issubclass(type(error), AttributeError) and code.co_name == "__getattr__"):
            files.append(code.co_filename)
        trace = trace.tb_next
    return files[-1] if files else ""

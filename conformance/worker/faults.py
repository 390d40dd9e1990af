"""Who is at fault when a call raises: the framework, the adapter, or the harness."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any

from conformance.places import ROOT
from conformance.worker.exchange import Failure

__all__ = ["Blame", "adapter_classes", "brief", "display_path", "innermost_place"]

LONGEST_MESSAGE = 500
RUN = Path(__file__).parent
#: Slips of whoever wrote the code that raised; a framework raises them on purpose only from inside itself.
SLIPS = (NameError, AttributeError, ImportError, SyntaxError)


def adapter_classes(kind: type) -> list[type]:
    """The classes that make up an adapter, most derived first: its ancestors up to the contract, and not that."""
    from conformance.backends.contract import Backend

    return [one for one in kind.__mro__ if one is not Backend and issubclass(one, Backend)]


def brief(error: BaseException) -> str:
    """The first 500 characters of an exception's message, whatever its ``__str__`` does."""
    try:
        return str(error)[:LONGEST_MESSAGE]
    except Exception:
        return "(the message could not be read)"


def display_path(file: str) -> str:
    """A file's path from the checkout or the working folder; elsewhere its name alone: not where the user lives."""
    path = Path(file)
    path = path.resolve() if path.is_absolute() else path
    for root in (ROOT, Path.cwd()):
        if path.is_absolute() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


class Blame:
    """Turns an exception from a backend's call into a :class:`Failure`."""

    def __init__(self, kind: type) -> None:
        from conformance.backends import contract

        self._unsupported = contract.Unsupported
        self._contract = contract.__file__
        self._adapter = frozenset(_code_files(adapter_classes(kind)))

    def failure(self, error: BaseException) -> Failure:
        """The failure that ``error`` stands for, by its type and by the frame that raised it."""
        name, message, where = type(error).__name__, brief(error), self._where(error.__traceback__)
        if isinstance(error, self._unsupported):
            return Failure("unsupported", name, message, where)
        innermost = _innermost_file(error.__traceback__, error)
        ours = Path(innermost).parent == RUN
        # A call that does not fit the method's signature fails in the contract's frame, before the adapter is reached.
        misfit = innermost == self._contract and isinstance(error, TypeError)
        slip = isinstance(error, SLIPS) and (innermost in self._adapter or innermost == self._contract)
        return Failure("adapter" if ours or misfit or slip else "raised", name, message, where)

    def wrong_return(self, what: str, result: Any, why: str) -> Failure:
        """The failure of an adapter whose method returned ``result``, which cannot be read as a tensor."""
        return Failure("adapter", type(result).__name__, f"{what} cannot be read as an array: {why}"[:LONGEST_MESSAGE])

    def _where(self, trace: TracebackType | None) -> str:
        places = [(file, line) for file, line in _frames(trace) if file in self._adapter]
        return f"{display_path(places[-1][0])}:{places[-1][1]}" if places else ""


def innermost_place(error: BaseException) -> str:
    """The ``file:line`` that raised ``error``, empty where it has no traceback."""
    place = next(reversed(list(_frames(error.__traceback__))), None)
    return f"{display_path(place[0])}:{place[1]}" if place else ""


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
        if not (isinstance(error, AttributeError) and code.co_name == "__getattr__"):
            files.append(code.co_filename)
        trace = trace.tb_next
    return files[-1] if files else ""

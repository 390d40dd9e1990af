"""Kinds in which a call raises."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from typing import Any

from conformance.backends.contract import Unsupported
from tests.faults.table import kind


def _raises(name: str, what: str, error: Any, recorded: str) -> None:
    def act(value: Any, logits: Any) -> Any:
        raise error()

    act.__name__, act.__doc__ = name, what
    kind("fail", recorded)(act)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Wordless(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


class Ends(Exception):
    def __str__(self) -> str:
        sys.exit(0)


class OfItsOwn(BaseException):
    pass


class Lies(Exception):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return Unsupported


class Classless(Exception):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class")


class Meta(type):
    @property
    def __name__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError("no name")


class Nameless(Exception, metaclass=Meta):
    pass


class Untraceable(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no traceback")


def _chained() -> Exception:
    error = Exception("the last of many")
    for _ in range(20_000):
        error.__cause__ = Exception("one of many")
        error = error.__cause__
    return error


def _circular() -> Exception:
    one, other = Exception("one"), Exception("other")
    one.__context__, other.__context__ = other, one
    return one


_NAMED = type("odd\n::error::\x1b[31m", (Exception,), {})
_raises("lone surrogate", "A text that has no encoding.", lambda: ValueError("\udc80 is lone"), "\\udc80 is lone")
_raises("megabyte of text", "A text of a megabyte.", lambda: ValueError("word " * 200_000), "word word")
_raises(
    "terminal escapes", "A text that would write a workflow command.", lambda: ValueError("\x1b[2J\n::error::x"), "x"
)
_raises("null characters", "A text with null characters.", lambda: ValueError("a\0b"), "ValueError")
_raises("bytes as text", "A text of bytes.", lambda: ValueError(b"\xff\xfe"), "ValueError")
_raises("unprintable", "``__str__`` raises.", Unprintable, "Unprintable")
_raises("wordless", "``__str__`` gives no text.", Wordless, "Wordless")
_raises("leaves while it is printed", "``__str__`` leaves the interpreter.", Ends, "Ends")
_raises("derived from BaseException", "An error that ``except Exception`` lets through.", OfItsOwn, "OfItsOwn")
_raises("an error that denies its class", "``__class__`` names another class.", Lies, "Lies")
_raises("an error without a class", "``__class__`` raises.", Classless, "Classless")
_raises("an error without a name", "The class has no readable name.", Nameless, "")
_raises("a name of two lines", "The class's name has a line end and an escape.", _NAMED, "odd")
_raises("an error without a traceback", "``__traceback__`` raises.", Untraceable, "Untraceable")
_raises("leaves the interpreter", "SystemExit.", lambda: SystemExit(0), "SystemExit")
_raises("interrupted", "KeyboardInterrupt that no keyboard sent.", KeyboardInterrupt, "KeyboardInterrupt")
_raises("recursion", "RecursionError.", RecursionError, "RecursionError")
_raises("out of memory", "MemoryError.", MemoryError, "MemoryError")
_raises("generator's exit", "GeneratorExit.", GeneratorExit, "GeneratorExit")
_raises("end of an iteration", "StopIteration.", StopIteration, "StopIteration")
_raises("several at once", "A group of errors.", lambda: BaseExceptionGroup("two", [OfItsOwn(), OSError()]), "two")
_raises("twenty thousand causes", "A long chain of causes.", _chained, "one of many")
_raises("a cause of itself", "A circle of causes.", _circular, "one")


@kind("fail", "RecursionError")
def recurses(value: Any, logits: Any) -> Any:
    """Endless recursion in Python."""
    return recurses(value, logits)


@kind("fail", "KeyboardInterrupt")
def interrupts_itself(value: Any, logits: Any) -> Any:
    """SIGINT to itself, as a library may that wants its user's attention."""
    os.kill(os.getpid(), 2)
    for _ in range(1000):
        pass
    return value


@kind("fail", "SystemExit")
def is_sent_an_error(value: Any, logits: Any) -> Any:
    """An error that another thread puts into this one."""
    import threading

    mine = ctypes.c_ulong(threading.get_ident())
    ctypes.pythonapi.PyThreadState_SetAsyncExc(mine, ctypes.py_object(SystemExit))
    for _ in range(1000):
        pass
    return value


@kind("fail", "NameError")
def misses_a_name(value: Any, logits: Any) -> Any:
    """A slip in a library that the adapter calls."""
    return nowhere  # type: ignore[name-defined] # noqa: F821


@kind("fail", "RuntimeError")
def warns_without_a_text(value: Any, logits: Any) -> Any:
    """A warning whose text cannot be read."""

    class Mute(UserWarning):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    warnings.warn(Mute(), stacklevel=1)
    return value


@kind("unsupported", "")
def supports_nothing(value: Any, logits: Any) -> Any:
    """Says that it lacks the feature, at length."""
    raise Unsupported("no " * 100_000)


@kind("fail", "ValueError")
def raises_in_a_file_without_a_name(value: Any, logits: Any) -> Any:
    """Code whose file has a name of a megabyte, without an encoding."""
    exec(compile("raise ValueError('here')", "\udc80\n::error::\x1b[31m" + "x" * 1_000_000, "exec"))


@kind("fail", "SyntaxError")
def an_error_of_syntax(value: Any, logits: Any) -> Any:
    """A place that is none, in text that steers a terminal."""
    raise SyntaxError("\x1b[31m", ("::error::\n", 10**30, -5, "\udc80" * 1000))


@kind("fail", "ExceptionGroup")
def groups_in_groups(value: Any, logits: Any) -> Any:
    """Five thousand groups of errors, each in the next."""
    error: Exception = ValueError("inmost")
    for _ in range(5000):
        error = ExceptionGroup("one of many", [error])
    raise error

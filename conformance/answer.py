"""How a command ends: its exit code, and what is wrong in words on standard error."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import click

from conformance.disk import is_refusal, refusal
from conformance.model.errors import HarnessError, UsageError
from conformance.plain import say

__all__ = ["answer", "signals_as_interrupts"]

_AGAIN = 0.05  # seconds until a signal comes again
#: What the system says of an output that takes nothing more: full, not writable, gone.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO, errno.EFBIG)


def answer(command: click.Command, arguments: Sequence[str] | None = None, name: str | None = None) -> int:
    """The exit code of ``command``, called by ``name``; it raises nothing, and says what is wrong."""
    _use_streams()
    try:
        with signals_as_interrupts() as signals:
            return _ended(command, arguments, name, signals)
    except KeyboardInterrupt:  # while the end was being reported
        return 130


def _ended(command: click.Command, arguments: Sequence[str] | None, name: str | None, signals: list[int]) -> int:
    try:
        result: Any = command.main(
            args=None if arguments is None else [*arguments], prog_name=name, standalone_mode=False
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        return _wrong(shown.getvalue().rstrip("\n"), 2)
    except UsageError as error:
        return _wrong(f"error: {error}", 2)
    except HarnessError as error:
        return _wrong(f"error: {error}", 3)
    except (KeyboardInterrupt, click.Abort):
        return _wrong("interrupted", 130)
    except (BrokenPipeError, SystemExit):  # the reader has gone, as `head` does; click makes an exit of it
        _let_go(sys.stdout)
        return 141
    except OSError as error:
        if is_refusal(error):
            refused = refusal(error, os.fsdecode(error.filename), "used")
            return _wrong(f"error: {refused}", 2 if isinstance(refused, UsageError) else 3)
        if error.errno not in _UNWRITABLE or error.filename is not None:
            return _internal(error)
        _let_go(sys.stdout)
        return _wrong(f"error: standard output or a file cannot be written: {error.strerror}", 3)
    except Exception as error:  # a library may make another error of an interruption, as DuckDB does
        return _wrong("interrupted", 130) if signals else _internal(error)


def _internal(error: Exception) -> int:
    """The harness's own fault: said in words, with the way to the details."""
    if os.environ.get("CONFORMANCE_TRACEBACK"):
        raise error
    message = f"internal error: {type(error).__name__}: {error}\n  hint: this is a fault of the suite; "
    return _wrong(f"{message}set CONFORMANCE_TRACEBACK=1 to see where, and report it", 3)


def _wrong(text: str, code: int) -> int:
    """Say it, after what standard output still holds; where neither can be written, the code must do."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is sys.stderr:
                say(text, err=True)
            stream.flush()
        except OSError:
            _let_go(stream)
    return code


def _let_go(stream: Any) -> None:
    """What is still buffered goes nowhere, also when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _use_streams() -> None:
    """Have all three streams, and write any text to them, whatever they can encode.

    A stream that the caller closed leaves its number free, and the next file that is opened would be written to, here
    or in a process that is started.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[list[int]]:
    """Within, the signals by which schedulers and closed terminals end a process do what Ctrl-C does; those that came.

    By default they end the driver on the spot: its processes, which are in sessions of their own, would go on, and
    temporary files would stay. A signal that is ignored or caught by somebody else is left so.
    """
    came: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        came.append(number)
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        numbers = []

    def again(lost: sys.UnraisableHookArgs) -> None:
        """One that came in a finalizer, where Python drops what is raised, comes again when that has ended."""
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            hook(lost)
            return
        later = threading.Timer(_AGAIN, os.kill, (os.getpid(), came[-1] if came else signal.SIGINT))
        timers.append(later)
        later.start()

    timers: list[threading.Timer] = []
    hook, sys.unraisablehook = sys.unraisablehook, again
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {each: handler for each in numbers if (handler := signal.getsignal(each)) in usual}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield came
    finally:
        sys.unraisablehook = hook
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)

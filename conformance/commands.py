"""Runs a command to its end: an exit code, and what is wrong in words on standard error."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import click

from conformance.disk import is_refusal, refusal
from conformance.model.errors import HarnessError, UsageError
from conformance.plain import say

__all__ = ["run_command"]

INTERRUPTED = 130
_ONE_REQUEST = 2.0  # seconds in which signals ask for one end: `timeout` sends two, to a process and to its group
#: What the system says of an output that takes nothing more: full, not writable, gone.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO, errno.EFBIG)


def run_command(
    command: click.Command, arguments: Sequence[str] | None = None, name: str | None = None, *, ends: bool = False
) -> int:
    """Run ``command``, called by ``name``; its exit code. It raises nothing, and says what is wrong.

    ``ends``: this process ends with it, and so does a signal from then on.
    """
    _use_streams()
    signals = _Signals()
    if ends:
        atexit.register(signals.ignore)
    try:
        signals.catch()
        signals.code = code = _ended(command, arguments, name, signals)
    except KeyboardInterrupt:  # while the end was being reported
        signals.code = code = INTERRUPTED
    finally:
        if ends:
            gc.freeze()  # else Python collects once more what it leaves anyway: a tenth of a short command
        else:
            signals.restore()
    if code == INTERRUPTED:
        # Python remembers an interruption of code that was made of a text, as that of dataclasses is, until other such
        # code has run, and would end by a signal in place of the code.
        exec("")
    return code


def _ended(command: click.Command, arguments: Sequence[str] | None, name: str | None, signals: _Signals) -> int:
    try:
        result: Any = command.main(
            args=None if arguments is None else [*arguments], prog_name=name, standalone_mode=False
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        shows = f"{context.command_path} --help" if context else "conformance --help"
        problem = error.format_message().replace("valid integer range", "valid integer").replace("float range", "float")
        return _wrong(f"error: {problem}\n  hint: {shows} shows what can be written", 2)
    except UsageError as error:
        return _wrong(f"error: {error}", 2)
    except HarnessError as error:
        return _wrong(f"error: {error}", 3)
    except (KeyboardInterrupt, click.Abort):
        return _wrong("interrupted", INTERRUPTED)
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
        return _wrong("interrupted", INTERRUPTED) if signals.came else _internal(error)


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


class _Signals:
    """Has the signals by which schedulers and closed terminals end a process do what Ctrl-C does: raise, but once.

    By default they end the driver on the spot, without a word. What is then unwound is not interrupted again: a second
    signal changes nothing, unless it comes later than with the first. Then it ends the process as it stands, and so
    does the first one where Python drops what is raised, which it does in a finalizer: whatever the process has started
    ends with it, and its temporary folders go, for both are guarded by others. A signal that is ignored or caught by
    somebody else is left so. ``code`` is what the command has ended with, from when on none raises.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self._first: float | None = None  # when a signal came
        self._hook = sys.unraisablehook
        self._before: dict[int, Any] = {}

    @property
    def came(self) -> bool:
        """Whether one has come."""
        return self._first is not None

    def catch(self) -> None:
        """From now on, where this is the main thread: only there can that be."""
        if threading.current_thread() is not threading.main_thread():
            return
        sys.unraisablehook = self._dropped
        for number in (getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)):
            if (handler := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = handler
                signal.signal(number, self._interrupt)

    def restore(self) -> None:
        """As it was before."""
        sys.unraisablehook = self._hook
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """For Python gives its handlers up before it clears up, and what comes then would have the last word."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: Any) -> None:
        if self.code is not None:
            os._exit(self.code)
        if self._first is None:
            self._first = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - self._first > _ONE_REQUEST:
            os._exit(INTERRUPTED)

    def _dropped(self, lost: sys.UnraisableHookArgs) -> None:
        if not self.came or not isinstance(lost.exc_value, KeyboardInterrupt):
            self._hook(lost)
            return
        with contextlib.suppress(OSError):
            os.write(2, b"interrupted\n")  # what is in the middle of being printed holds the stream
        os._exit(INTERRUPTED)

"""Calls the command line again and again in children of one process, each with an output or a signal of its own.

``python -m tests.support.ends`` reads a JSON list of ``[END, [WORD...]]`` from standard input, and writes for each the
exit code (negative for a signal), standard error, whether a process was left behind, and the most memory that the child
took, in MiB. A child is forked, so that what is imported is imported once, and ends as any interpreter does. A signal
comes when the verb begins; with the end ``both`` standard output is returned with standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import tempfile
import time
from typing import Any

import click

from conformance.cli import cli
from conformance.cli import main as called

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
PATIENCE_OF_ONE = 60  # seconds, after which a child is ended by SIGALRM
ENDS = ("full", "gone", "closed", *SIGNALS)
_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux
PATIENCE = 20.0  # seconds for orphans to end


def main() -> None:
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401

    import conformance.reports.merge
    import conformance.run.launch  # noqa: F401

    for name in cli.list_commands(click.Context(cli)):
        cli.get_command(click.Context(cli), name)
    # A child that ends looks for garbage among all that is imported, which takes longer than most verbs.
    gc.collect()
    gc.freeze()
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # What was started in the background, or by `nohup`, ignores some of them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else signal.SIG_DFL)
    json.dump([_called(end, words) for end, words in json.load(sys.stdin)], sys.stdout)


def _called(end: str, words: list[str]) -> tuple[int, str, bool, int]:
    with tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _child(end, words, errors.fileno())
        _, status, used = os.wait4(child, 0)
        left = _left_behind()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace")
        return os.waitstatus_to_exitcode(status), said, left, used.ru_maxrss >> 10


def _child(end: str, words: list[str], errors: int) -> None:
    """Become the command line: with its standard streams, and its way of ending."""
    os.dup2(errors, 2)
    signal.alarm(PATIENCE_OF_ONE)
    if end == "both":
        os.dup2(errors, 1)
    elif end == "closed":
        os.close(1)
    else:
        os.dup2(_output(end), 1)
    sys.stdout: Any = None if end == "closed" else os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    if end in SIGNALS:
        _verb(words).callback = lambda **_: signal.raise_signal(getattr(signal, end))
    sys.exit(called(words))


def _verb(words: list[str]) -> click.Command:
    """The command that the words call."""
    found: click.Command | None = cli
    for word in words:
        if not isinstance(found, click.Group):
            break
        found = found.get_command(click.Context(found), word)
    assert found is not None
    return found


def _output(end: str) -> int:
    if end == "full":
        return os.open("/dev/full", os.O_WRONLY)
    if end == "gone":
        reader, writer = os.pipe()
        os.close(reader)
        return writer
    return os.open(os.devnull, os.O_WRONLY)


def _left_behind() -> bool:
    """Whether a descendant outlives the child: those that do become children of this process."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
            time.sleep(0.02)
            continue
        return False
    return True


if __name__ == "__main__":
    main()

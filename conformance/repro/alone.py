"""Runs a stand-alone script under guard: the kernel in it may be anybody's."""

from __future__ import annotations

import contextlib
import sys
import time

from conformance.plain import lines_on_terminal
from conformance.scratch import scratch
from conformance.worker.limits import Limits
from conformance.worker.log import Log
from conformance.worker.supervisor import Gone, Silent, Supervised

__all__ = ["LIMIT", "output_of"]

LIMIT = 120.0  # seconds
LINES = 40
#: Standard error apart, to what the last descriptor is: a framework's chatter is not the script's output.
PROGRAM = "import os, runpy, sys; os.dup2(int(sys.argv[-1]), 2); runpy.run_path(sys.argv[1], run_name='__main__')"


def output_of(script: str, limit: float = LIMIT) -> str | None:
    """The last lines that a script prints, and the last of its error where it fails; None where it takes longer.

    It runs in an isolated process of its own for at most ``limit`` seconds, with the memory of any backend. What is
    returned is harmless on a terminal.
    """
    with scratch() as folder, contextlib.closing(Log(folder)) as errors:
        file = folder / "reproducer.py"
        file.write_text(script, encoding="utf-8")
        last = time.monotonic() + limit
        process = Supervised(
            [sys.executable, "-I", "-c", PROGRAM, str(file)],
            folder=folder / "own",
            errors=errors,
            memory=Limits().memory_bytes,
        )
        try:
            while True:  # what it writes into the harness's pipe is nobody's
                process.receive(last - time.monotonic())
        except Silent:
            return None
        except Gone as end:
            code, why = end.code, end.type
        finally:
            process.close()
        printed = process.tail(LINES).splitlines()
        said = errors.tail(1, 4096).splitlines()
    failed = [] if code == 0 else said or [why]
    return lines_on_terminal("\n".join([*printed, *failed]))

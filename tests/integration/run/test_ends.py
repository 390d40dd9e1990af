"""A command that is ended by a signal, wherever that meets it: the same exit code each time, and no folder is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.places import ROOT

pytestmark = pytest.mark.slow

PATIENCE = 120  # seconds for what takes one or two

#: A command: what it does is filled in. The handlers are those of a process that a terminal starts.
COMMAND = """
import atexit, os, signal, sys, time, weakref
import click
from conformance.commands import run_command
from conformance.scratch import scratch

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


class Held:
    pass


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


def body():
{body}


sys.exit(run_command(click.Command("verb", callback=body), [], ends=True))
"""
IN_A_FINALIZER = """
    with scratch() as folder:
        held = Held()
        weakref.finalize(held, send)
        del held
        time.sleep(600)
"""
TWICE = """
    with scratch() as folder:
        try:
            send(signal.SIGINT)
            time.sleep(600)
        finally:
            send(signal.SIGINT)
            send(signal.SIGTERM)
            print("all of it", flush=True)
"""
LATER_IN_A_CLEANUP = """
    with scratch() as folder:
        try:
            send()
            time.sleep(600)
        finally:
            time.sleep(2.1)
            send()
            time.sleep(600)
"""
IN_CODE_OF_A_TEXT = """
    exec("send(); time.sleep(600)")  # as a module's dataclasses are made
"""
BEFORE_THE_FOLDER = """
    from pathlib import Path

    Path.mkdir = lambda *_: send()
    with scratch() as folder:
        time.sleep(600)
"""
WHILE_PYTHON_ENDS = """
    atexit.register(time.sleep, 600)
    atexit.register(send)
    return 1
"""
WHILE_IT_CLEARS_UP = """
    class Last:
        def __del__(self, send=send):
            send()

    sys.modules["last"] = Last()
    return 1
"""


@pytest.mark.parametrize(
    ("body", "code", "out", "err"),
    [
        (IN_A_FINALIZER, 130, "", "interrupted"),
        (TWICE, 130, "all of it", "interrupted"),
        (LATER_IN_A_CLEANUP, 130, "", ""),
        (IN_CODE_OF_A_TEXT, 130, "", "interrupted"),
        (BEFORE_THE_FOLDER, 130, "", "interrupted"),
        (WHILE_PYTHON_ENDS, 1, "", ""),
        (WHILE_IT_CLEARS_UP, 1, "", ""),
    ],
    ids=[
        "in a finalizer",
        "twice",
        "later, in a clean-up",
        "in code that is made of a text",
        "before there is a folder",
        "while Python ends",
        "while it clears up",
    ],
)
def test_a_signal_is_not_lost_and_leaves_no_folder(tmp_path: Path, body: str, code: int, out: str, err: str) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "command.py").write_text(COMMAND.replace("{body}", body.strip("\n")))
    ran = subprocess.run(
        [sys.executable, "-m", "command"],  # as the suite itself: other programs have other ends
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stdout.strip(), ran.stderr.strip()) == (code, out, err)
    last = time.monotonic() + PATIENCE
    while list(temporary.iterdir()):
        assert time.monotonic() < last
        time.sleep(0.02)

"""The processes that do tasks end without a word, whenever they are asked to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conformance.places import ROOT

#: A process is asked to leave while an object is given up, after which it would wait for a task.
IN_A_FINALIZER = """
import os, signal, socket
from multiprocessing.connection import Connection
from pathlib import Path
from conformance.run.executors import workers
from conformance.run.tasks import Terms
from conformance.worker.session import Limits


class Ends:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


class Runner:
    def __init__(self, terms): ...

    def run(self, task):
        Ends()
        print("done", flush=True)

    def close(self):
        print("closed", flush=True)


workers.TaskRunner = Runner
ours, theirs = (Connection(each.detach()) for each in socket.socketpair())
ours.send((Terms(1, Limits(), Path(".")), "."))
ours.send("a task")
workers._work(theirs)
"""


def test_one_that_is_to_leave_while_it_finalizes_leaves_in_silence(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_A_FINALIZER]
    ended = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\nclosed\n", "")

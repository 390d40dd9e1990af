"""The ranks of a backend whose library divides a call over several processes.

The first rank is the process that was asked: calls arrive there, and its results are the backend's. The others are its
children. Each makes the same backend, receives every call, and makes it at the same time, so that all enter the
library's collective operations. They end with their parent: when it closes its end of their pipes, or with its guard.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from conformance.backends.contract import Backend, Setup

__all__ = ["Ranks", "main"]

#: What was chosen, as ``prepare`` received it; and, in a process that another has started as its rank, the ranks.
_chosen: Setup | None = None
_joined: Ranks | None = None


@dataclass(frozen=True)
class Ranks:
    """``count`` processes, of which this one is ``rank``; ``meeting`` is a file by which they find each other.

    ``others`` are pipes to the other ranks, which only the first has.
    """

    rank: int
    count: int
    meeting: Path
    others: tuple[Connection, ...] = ()

    @staticmethod
    def choose(setup: Setup) -> None:
        """Keep what was chosen, by which the other ranks make the same backend: called by ``prepare``."""
        global _chosen
        _chosen = setup

    @staticmethod
    def start(word: str) -> Ranks:
        """The ranks of the word ``2-ranks``, the others being started; in one of these, those that it is of.

        An empty word is this process alone.
        """
        if _joined is not None:
            return _joined
        count = int(word.partition("-")[0] or 1)
        meeting = Path(tempfile.mkdtemp(prefix="ranks-")) / "meeting"
        # Not before: the library reads it again for each further group.
        atexit.register(shutil.rmtree, meeting.parent, ignore_errors=True)
        return Ranks(0, count, meeting, tuple(_started(rank, count, meeting) for rank in range(1, count)))

    @contextlib.contextmanager
    def together(self, method: str, *arguments: Any) -> Iterator[None]:
        """Have the other ranks call a method of the backend while this one does, and wait for their ends.

        Raises RuntimeError where one of them raised and this one did not. Where one waits for another that has raised,
        this does not end: so it is for the library's users, and a call may take no longer than its limit.
        """
        order = pickle.dumps((method, arguments)) if self.others else b""
        for each in self.others:
            each.send_bytes(order)
        try:
            yield
        except Exception:  # not of an interrupt or an exit, at which the others may wait for this one for good
            self._problems()
            raise
        for rank, problem in enumerate(self._problems(), 1):
            if problem:
                raise RuntimeError(f"rank {rank} alone raised {problem}")

    def _problems(self) -> list[str]:
        """How the call of each other rank ended, once it has: in words, empty where nothing was raised."""
        return [each.recv_bytes().decode() for each in self.others]


def _started(rank: int, count: int, meeting: Path) -> Connection:
    if _chosen is None:
        raise RuntimeError("a backend of several ranks is made by its spec, so that each of them can make it")
    here, there = Pipe()
    given = (_chosen.spec, _chosen.threads, _chosen.cache or "", rank, count, meeting, there.fileno())
    path = os.pathsep.join(each for each in sys.path if each)
    subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, *map(str, given)],
        stdin=subprocess.DEVNULL,
        pass_fds=[there.fileno()],
        env=os.environ | {"PYTHONPATH": path},
    )
    there.close()
    return here


def main(arguments: list[str]) -> None:
    """Be one of the ranks, as ``_started`` names it, until the first is gone."""
    from conformance.backends import discovery

    global _joined
    spec, threads, cache, rank, count, meeting, descriptor = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first one's to answer
    os.set_inheritable(int(descriptor), False)
    first = Connection(int(descriptor))
    _joined = Ranks(int(rank), int(count), Path(meeting))
    backend = discovery.create(spec, int(threads), Path(cache) if cache else None)
    while True:
        try:
            method, given = pickle.loads(first.recv_bytes())
        except EOFError:
            os._exit(0)
        first.send_bytes(_problem(backend, method, given).encode())


def _problem(backend: Backend, method: str, given: tuple[Any, ...]) -> str:
    """What a call has raised, in words; empty where it has not."""
    try:
        getattr(backend, method)(*given)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:1000]
    return ""


if __name__ == "__main__":
    # By its own name: what a backend imports is then this very module.
    importlib.import_module("conformance.backends.runtimes.ranks").main(sys.argv[1:])

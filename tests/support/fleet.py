"""A scheduler of Dask and its workers, each a process, and what comes of a run on them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from conformance.cases.load import Entry
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.records import decode_record
from conformance.places import ROOT
from conformance.run.conduct import Conductor, Listener
from conformance.run.executors import Executor
from conformance.run.executors.dask.connect import Fleet
from conformance.run.plan import Plan
from conformance.run.tasks import Done, Task, Terms
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits

PATIENCE = 600  # seconds for what takes a few: others may have the machine, and what never comes is still found out
TERMS = Terms(limits=Limits(start=PATIENCE, call=PATIENCE))
#: A worker as `conformance worker` makes it, whose resources need not be found.
WORKER = """
import sys
import conformance
from conformance.run.executors.dask import connect
from conformance.run.executors.dask.connect import security
from conformance.run.executors.dask.processes import serve

connect.CONNECT = 600.0

if __name__ == "__main__":
    address, name, *backends = sys.argv[1:]
    serve(address, dict.fromkeys(backends, 1.0), host="127.0.0.1", name=name, security=security("", None, None, None))
"""
#: Imported by a worker's process before all else: it takes itself for another version.
OTHER_VERSION = "import conformance\nconformance.__version__ = '0.0.1'\n"


@contextlib.contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a scheduler on loopback, and its process."""
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
               "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment()) as process:
        try:
            until(lambda: file.is_file() and file.stat().st_size > 0)
            yield json.loads(file.read_text())["address"], process
        finally:
            process.terminate()


class Workers:
    """Starts workers of a scheduler, and ends them."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "worker.py").write_text(WORKER)

    def start(self, name: str, *backends: str, **extra: str) -> None:
        command = [sys.executable, str(self.folder / "worker.py"), self.address, name, *backends]
        self.processes[name] = subprocess.Popen(command, env=environment(**extra), cwd=self.folder)

    def works(self, name: str) -> int:
        """The process that works, below the one that watches it."""
        (child,) = [
            each
            for each in psutil.Process(self.processes[name].pid).children()
            if "spawn_main" in " ".join(each.cmdline())
        ]
        return int(child.pid)

    def end(self) -> None:
        for each in self.processes.values():
            each.terminate()
        for each in self.processes.values():
            each.wait(PATIENCE)


def environment(**extra: str) -> dict[str, str]:
    """The environment of a process that imports the suite, and to which warnings are errors."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **extra}


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


class Conducted(Listener):
    """What came of a run; ``noted`` is called with what becomes of workers."""

    def __init__(
        self,
        specs: Sequence[str],
        entries: Sequence[Entry],
        executor: Executor,
        noted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.noted = noted  # type: ignore[method-assign]
        lines: list[bytes] = []
        self.records: list[object] = []
        found = find_backends(tuple(specs), elsewhere=specs)
        describe = self.records.append
        self.conductor = Conductor(Plan(entries), found, executor, lambda block, _: lines.append(block), describe, self)
        self.conductor.run()
        self.outcomes = [decode_record(line) for block in lines for line in block.splitlines()]

    @property
    def compared(self) -> list[bytes]:
        """The outcomes without what differs from run to run."""
        found = [each for each in self.outcomes if isinstance(each, Outcome)]
        return sorted(msgspec.json.encode(msgspec.structs.replace(each, seconds=0.0, worker="")) for each in found)

    @property
    def workers(self) -> set[str]:
        return {each.worker for each in self.outcomes if isinstance(each, Outcome)}


def after_first(executor: Executor, do: Callable[[], None]) -> Executor:
    """The executor, with something that happens after its first result."""

    class Watched:
        def run(self, tasks: Sequence[Task]) -> Iterator[object]:
            results = executor.run(tasks)
            for result in results:
                yield result
                if isinstance(result, Done):
                    break
            do()
            yield from results

    return Watched()  # type: ignore[return-value]


def offered(address: str) -> Sequence[str]:
    """The backends of a scheduler's workers, none where it has no workers."""
    try:
        return Fleet(address).backends()
    except UsageError:
        return ()

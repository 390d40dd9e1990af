"""Tasks done by several processes of this machine, each of which keeps one backend's process.

A worker asks, and judges what it is answered, in turn: so that it takes one core, and two are twice as fast. It goes on
with its backend while that has tasks, then begins with one that nobody works on, and at last helps with the others.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait

from conformance.model.errors import HarnessError
from conformance.run.executors.losses import Losses, given_up
from conformance.run.tasks import Done, Task, Terms, Unavailable
from conformance.scratch import subfolder
from conformance.worker.supervisor import THREAD_VARIABLES, reason_of, remove_folder, search_path

__all__ = ["ENDED", "LocalExecutor"]

PATIENCE = 15.0  # seconds for the processes to end
LOOK = 1.0  # seconds without an answer after which those that a backend may have stopped are made to go on
ENDED = struct.Struct("<ii")  # which of the processes has ended, and its exit code as `subprocess` gives it


class LocalExecutor:
    """Does tasks in ``jobs`` processes. Where one of them ends, another does its task.

    At a task where they end again and again, its backend is given up, and no other.
    """

    def __init__(self, jobs: int, terms: Terms) -> None:
        self._jobs = jobs
        self._terms = terms
        self._processes: list[_Processes] = []

    def prepare(self) -> None:
        """Start the processes without waiting for them: they import while this one reads the cases."""
        if not self._processes:
            self._processes = [_Processes(self._jobs, self._terms)]

    def run(self, tasks: Sequence[Task]) -> Iterator[Done | Unavailable]:
        """What comes of each task, as it comes; nothing is left when the iterator ends or is closed."""
        todo: dict[str, deque[Task]] = {}
        for task in tasks:
            todo.setdefault(task.backend.name, deque()).append(task)
        try:
            self.prepare()
            workers = self._processes[0].workers()
            losses, lost = Losses(), set[str]()
            while True:
                for worker in workers:
                    if worker.task is None:
                        worker.give(_next(worker, workers, todo))
                busy = [worker for worker in workers if worker.task is not None]
                if not busy:
                    break
                while not (ready := wait([worker.connection for worker in busy], LOOK)):
                    for processes in self._processes:
                        processes.wake()
                for worker in busy:
                    if worker.connection not in ready:
                        continue
                    try:
                        result = worker.result()
                    except EOFError:
                        workers[workers.index(worker)] = self._another()
                        task, why = worker.lost(todo)
                        name = task.backend.name
                        if name not in lost and losses.too_many(task):
                            lost.add(name)
                            yield given_up(task, why)
                        for each in lost:
                            todo[each].clear()
                        continue
                    known = worker.backend not in lost
                    if known and (isinstance(result, Done) or _given_up(result, worker, workers, todo)):
                        yield result
        finally:
            self.close()

    def close(self) -> None:
        """End the processes; nothing of them is left."""
        while self._processes:
            self._processes.pop().close()

    def _another(self) -> _Worker:
        """A process in place of one that has ended."""
        self._processes.append(_Processes(1, self._terms))
        return self._processes[-1].workers()[0]


def _given_up(failed: Unavailable, worker: _Worker, workers: Sequence[_Worker], todo: dict[str, deque[Task]]) -> bool:
    """Whether a backend that does not start here is given up; where it runs, or may yet start, others do the task."""
    name = failed.task.backend.name
    worker.without.add(name)
    elsewhere = [each for each in workers if name not in each.without]
    if any(name in each.started or (each.task is not None and each.backend == name) for each in elsewhere):
        todo[name].append(failed.task)
        return False
    todo[name].clear()
    return True


def _next(worker: _Worker, workers: Sequence[_Worker], todo: dict[str, deque[Task]]) -> Task | None:
    """The worker's next task: of its own backend, of one that nobody is at, or of the one with the most left."""
    left = {name: queue for name, queue in todo.items() if queue and name not in worker.without}
    if not left:
        return None
    if worker.backend in left:
        return left[worker.backend].popleft()
    taken = {each.backend for each in workers if each.task is not None and each is not worker}
    fresh = [name for name in left if name not in taken]
    name = fresh[0] if fresh else max(left, key=lambda each: len(left[each]))
    return left[name].popleft()


class _Processes:
    """The group of the processes, a connection to each, and the folder of their temporary files."""

    def __init__(self, jobs: int, terms: Terms) -> None:
        try:
            self.folder = subfolder(terms.scratch)
        except OSError as error:
            raise HarnessError(f"no temporary folder for processes: {error.strerror or error}") from error
        ours, theirs = zip(*(socket.socketpair() for _ in range(jobs)), strict=True)
        self._ends, ends = os.pipe()  # here their parent says how each of them has ended
        self._codes: dict[int, int] = {}
        self._workers: list[_Worker] = []
        command = [sys.executable, "-P", "-m", "conformance.run.executors.workers", str(os.getpid()), str(ends)]
        try:
            self._group = subprocess.Popen(
                [*command, *(str(each.fileno()) for each in theirs)],
                stdin=subprocess.DEVNULL,
                # No threads where processes are forked: nothing here needs them, and each backend sets its own.
                env=os.environ | search_path() | dict.fromkeys(THREAD_VARIABLES, "1"),
                pass_fds=[ends, *(each.fileno() for each in theirs)],
                start_new_session=True,  # Ctrl-C is the run's to answer
            )
        except OSError as error:
            os.close(self._ends)
            remove_folder(self.folder)
            raise HarnessError(f"no process to work in: {error.strerror or error}") from None
        finally:
            os.close(ends)
            for each in theirs:
                each.close()
        self.connections = [Connection(each.detach()) for each in ours]
        for connection in self.connections:
            with contextlib.suppress(OSError):  # what has ended by now is found out when it is given a task
                connection.send((terms, str(self.folder)))

    def workers(self) -> list[_Worker]:
        """One for each process."""
        self._workers = [_Worker(each, self, place) for place, each in enumerate(self.connections)]
        return [*self._workers]

    def ended(self, place: int) -> str:
        """How a process has ended whose connection has; raises HarnessError where their parent has ended, too."""
        while place not in self._codes:
            said = os.read(self._ends, ENDED.size) if select.select([self._ends], [], [], 5.0)[0] else b""
            if not said:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._group.wait(5.0)
                raise HarnessError(f"the processes that judge have ended: {reason_of(self._group.returncode or 0)}")
            which, code = ENDED.unpack(said)
            self._codes[which] = code
        return reason_of(self._codes[place])

    def wake(self) -> None:
        """Have them go on, where a backend has stopped them."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group.pid, signal.SIGCONT)

    def close(self) -> None:
        """Make them end, at once, and the backends' processes with them; wait until they are gone."""
        for connection in self.connections:
            connection.close()  # which ends those that have nothing to do
        busy = any(worker.task is not None for worker in self._workers)
        for number in (signal.SIGTERM, signal.SIGKILL) if busy else (0, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._group.wait(PATIENCE)
        os.close(self._ends)
        remove_folder(self.folder)


class _Worker:
    """One process, the task that it is at, and the backends that have started there, or do not start."""

    def __init__(self, connection: Connection, processes: _Processes, place: int) -> None:
        self.connection = connection
        self._processes = processes
        self._place = place
        self.task: Task | None = None
        self._culprit: Task | None = None  # the last one that reached the process
        self.backend = ""
        self.started: set[str] = set()
        self.without: set[str] = set()

    def give(self, task: Task | None) -> None:
        """Send a task, if there is one."""
        self.task = task
        if task is not None:
            self.backend = task.backend.name
            try:
                self.connection.send(task)
                self._culprit = task
            except OSError:  # it ended while it had nothing to do, which is found out when an answer is waited for
                self._culprit = self._culprit or task

    def lost(self, todo: dict[str, deque[Task]]) -> tuple[Task, str]:
        """The task that is the reason, if any is, why the process has ended, and how it has.

        The one it was given last is put back.
        """
        why = self._processes.ended(self._place)
        task = self._culprit
        assert task is not None and self.task is not None
        todo[self.task.backend.name].appendleft(self.task)
        return task, why

    def result(self) -> Done | Unavailable:
        """What came of the task; raises what went wrong, EOFError where the process has ended."""
        try:
            result: Done | Unavailable | Exception = self.connection.recv()
        except OSError:
            raise EOFError from None
        self.task = None
        if isinstance(result, Exception):
            raise result
        if isinstance(result, Done):
            self.started.add(self.backend)
        return result

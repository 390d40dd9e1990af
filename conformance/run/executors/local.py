"""Tasks done by several processes of this machine, each of which keeps one backend's process.

A worker asks, and judges what it is answered, in turn: so that it takes one core, and two are twice as fast. It goes on
with its backend while that has tasks, then begins with one that nobody works on, and at last helps with the others.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from conformance.model.errors import HarnessError
from conformance.run.tasks import Done, Task, TaskRunner, Terms, Unavailable
from conformance.worker.supervisor import reason_of

__all__ = ["LocalExecutor"]


class LocalExecutor:
    """Does tasks in ``jobs`` processes."""

    def __init__(self, jobs: int, terms: Terms) -> None:
        self._jobs = jobs
        self._terms = terms

    def run(self, tasks: Sequence[Task]) -> Iterator[Done | Unavailable]:
        """What comes of each task, as it comes; nothing is left when the iterator ends or is closed."""
        todo: dict[str, deque[Task]] = {}
        for task in tasks:
            todo.setdefault(task.backend.name, deque()).append(task)
        workers: list[_Worker] = []
        folder = tempfile.mkdtemp(prefix="conformance-")  # of the workers: it goes whatever becomes of them
        try:
            for _ in range(min(self._jobs, len(tasks))):
                workers.append(_Worker(self._terms, folder))
            while True:
                for worker in workers:
                    if worker.task is None:
                        worker.give(_next(worker, workers, todo))
                busy = [worker for worker in workers if worker.task is not None]
                if not busy:
                    break
                ready = wait([worker.connection for worker in busy])
                for worker in busy:
                    if worker.connection in ready:
                        result = worker.result()
                        if isinstance(result, Done) or _given_up(result, worker, workers, todo):
                            yield result
        finally:
            for worker in workers:
                worker.kill()
            for worker in workers:
                worker.join()
            shutil.rmtree(folder, ignore_errors=True)


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


class _Worker:
    """One process, the task that it is at, and the backends that have started there, or do not start."""

    def __init__(self, terms: Terms, folder: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.task: Task | None = None
        self.backend = ""
        self.started: set[str] = set()
        self.without: set[str] = set()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs, terms, folder), daemon=False)
        with _without_interrupts():
            self._process.start()
        theirs.close()

    def give(self, task: Task | None) -> None:
        """Send a task, if there is one."""
        self.task = task
        if task is not None:
            self.backend = task.backend.name
            try:
                self.connection.send(task)
            except OSError:
                raise self._ended() from None

    def result(self) -> Done | Unavailable:
        """What came of the task; raises what went wrong."""
        try:
            result: Done | Unavailable | Exception = self.connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        self.task = None
        if isinstance(result, Exception):
            raise result
        if isinstance(result, Done):
            self.started.add(self.backend)
        return result

    def kill(self) -> None:
        """Make it end: at once, and with the backend's process, which ends with it."""
        self.task = None
        self._process.terminate()

    def join(self) -> None:
        """Wait until it is gone."""
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()

    def _ended(self) -> HarnessError:
        self._process.join(5.0)
        return HarnessError(f"a process that judges has ended: {reason_of(self._process.exitcode or 0)}")


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


def _work(connection: Connection, terms: Terms, folder: str) -> None:
    """What a worker does, until its connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to answer
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    tempfile.tempdir = folder
    runner = TaskRunner(terms)
    try:
        while True:
            result = _done(runner, connection.recv())
            try:
                connection.send(result)
            except (TypeError, ValueError, AttributeError, pickle.PicklingError):  # an error that does not travel
                connection.send(HarnessError(f"{type(result).__name__}: {result}"))
    except (EOFError, OSError):
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        runner.close()


def _done(runner: TaskRunner, task: Task) -> Any:
    try:
        return runner.run(task)
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))
        return error


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _leave(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is done now is cleaning up
    raise SystemExit(0)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C in this thread, and so in what it starts: a process that still imports would print a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # with the first process it would start, and unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

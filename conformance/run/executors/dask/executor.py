"""Tasks done by the workers of a Dask cluster: an embedded one, or a fleet of machines behind a scheduler.

Workers carry resources that are named after backends and devices, and a task goes to those that have what it needs.
Few tasks are out at a time, so that a slow worker holds few, and one that joins late gets its share. Tasks of a worker
that is lost are done by the others. A worker with another version of the suite, or of a backend that others have run,
is not used.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from conformance.model.backend import BackendRecord
from conformance.model.errors import BackendUnavailable, HarnessError
from conformance.run.executors.dask.connect import Fleet, connected, imported, scheduler_errors
from conformance.run.executors.dask.members import FETCH, LOOK, Members, new_key
from conformance.run.executors.dask.processes import embedded
from conformance.run.executors.dask.resources import needs
from conformance.run.executors.dask.worker import perform, unpacked
from conformance.run.executors.losses import Losses, between, given_up
from conformance.run.tasks import Done, Note, Task, Terms, Unavailable

__all__ = ["DaskExecutor"]

#: Tasks that are out for each worker: the next one is there when one is done.
AHEAD = 2


class DaskExecutor:
    """Does tasks on the workers of ``fleet``, of which an embedded one has ``workers``."""

    def __init__(self, terms: Terms, fleet: Fleet, workers: int = 1) -> None:
        self._terms = terms
        self._fleet = fleet
        self._workers = workers
        self._held = contextlib.ExitStack()
        self._client: Future[Any] | None = None

    def prepare(self) -> None:
        """Connect to the scheduler, or have a cluster of this machine start: its processes import meanwhile.

        Raises UsageError where no scheduler answers, or Dask is not installed.
        """
        if self._client is None:
            self._start(self._workers)

    def _start(self, workers: int) -> None:
        if self._fleet.scheduler:
            client = self._held.enter_context(connected(self._fleet))
            self._client = Future()
            self._client.set_result(client)
            return
        imported()
        thread = ThreadPoolExecutor(1)
        self._client = thread.submit(self._held.enter_context, embedded(workers, self._terms.scratch))
        thread.shutdown(wait=False)

    def close(self) -> None:
        """Disconnect, or end the embedded cluster."""
        if self._client is not None:
            self._client.exception()  # until it has started
        self._client = None
        self._held.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Done | Unavailable | Note]:
        """What comes of each task, as it comes; an embedded cluster is gone when the iterator ends or is closed.

        Raises HarnessError where the scheduler is lost.
        """
        if not tasks:
            return
        with contextlib.closing(self):
            if self._client is None:
                self._start(min(self._workers, len(tasks)))
            assert self._client is not None
            work = _Work(self._client.result(), tasks, self._terms, self._fleet)
            try:
                yield from work.results()
            except scheduler_errors() as error:
                raise HarnessError(f"the scheduler is lost; complete the run with --resume: {error}") from error
            finally:
                work.abandon()


@dataclass(eq=False)
class _Out:
    """A task that is out, and the workers that it may be done on: one, where workers were lost at it before."""

    task: Task
    workers: tuple[str, ...]


class _Work:
    """One run's tasks on a cluster. The workers of an embedded one can do all of them, and say no resources."""

    def __init__(self, client: Any, tasks: Sequence[Task], terms: Terms, fleet: Fleet) -> None:
        self._client = client
        self._terms = terms
        self._patience = fleet.patience
        self._by_resource = bool(fleet.scheduler)
        self._members = Members(client, by_resource=self._by_resource)
        self._todo: dict[str, deque[Task]] = {}
        for task in tasks:
            self._todo.setdefault(task.backend.name, deque()).append(task)
        self._order = {name: place for place, name in enumerate(self._todo)}
        self._out: dict[Any, _Out] = {}
        self._losses = Losses()
        #: Workers that have nothing else to do than a task at which others were lost: one that is lost then is its own.
        #: Such a task is out, or the first of its backend: it is done as soon as its worker is free.
        self._kept: dict[Task, str] = {}
        self._firsts: dict[str, BackendRecord] = {}
        self._errors: dict[str, BackendUnavailable] = {}
        self._failed: list[Unavailable] = []  # to be said
        self._idle_since = time.monotonic()

    def results(self) -> Iterator[Done | Unavailable | Note]:
        from distributed import wait

        while self._out or any(self._todo.values()):
            self._look()
            while self._members.notes:
                yield self._members.notes.popleft()
            yield from self._failed
            self._failed.clear()
            self._submit()
            yield from self._given_up()
            waiting = [*self._out, *self._members.asked]
            if not waiting:
                time.sleep(0.1)
                continue
            with contextlib.suppress(TimeoutError):
                done = wait(waiting, timeout=LOOK, return_when="FIRST_COMPLETED").done
                answers = self._answers(done)
                for future in done:
                    if future in self._members.asked:
                        self._members.join(future)
                        continue
                    if future not in self._out:  # of a backend that was given up meanwhile
                        continue
                    result = self._result(future, answers)
                    if result is not None:
                        yield result
        yield from self._failed

    def abandon(self) -> None:
        """Call back what is out; the backends' processes on the workers end by themselves."""
        with contextlib.suppress(Exception):  # a scheduler that is lost needs nothing of this
            self._client.cancel([*self._out, *self._members.asked], force=True)

    def _look(self) -> None:
        """Which workers there are: tasks of lost ones are taken back."""
        self._members.look()
        for future in [each for each, out in self._out.items() if self._members.used.keys().isdisjoint(out.workers)]:
            if future in self._out:  # not of a backend that has been given up
                self._lost(future)

    def _submit(self) -> None:
        """Send out tasks, backend by backend, as long as the workers that can do them have too few."""
        out = Counter(each.workers for each in self._out.values())
        for queue in self._todo.values():
            if out.total() >= AHEAD * len(self._members.used):
                return  # what is left to look through may be a thousand backends
            while queue and queue[0] in self._losses and (worker := self._worker_for(queue[0], out)):
                out[self._send(queue.popleft(), {worker})] += 1
            if not queue or queue[0] in self._losses:
                continue
            able = self._members.able(queue[0]).difference(self._kept.values())
            taken = sum(count for workers, count in out.items() if not able.isdisjoint(workers))
            for _ in range(AHEAD * len(able) - taken):
                if not queue or queue[0] in self._losses:
                    break
                out[self._send(queue.popleft(), able)] += 1

    def _worker_for(self, task: Task, out: Iterable[tuple[str, ...]]) -> str | None:
        """The worker that is kept for a task at which others were lost, once it has nothing else to do."""
        able = self._members.able(task)
        if self._kept.get(task) not in able:
            free = able.difference(self._kept.values())
            if not free:
                self._kept.pop(task, None)
                return None
            self._kept[task] = min(free)
        worker = self._kept[task]
        return None if any(worker in workers for workers in out) else worker

    def _send(self, task: Task, able: Iterable[str]) -> tuple[str, ...]:
        """Send out a task; the workers that may do it."""
        workers = tuple(sorted(able))
        future = self._client.submit(
            perform,
            task,
            self._terms,
            key=new_key(),
            pure=False,
            workers=list(workers),
            resources=needs(task.backend) if self._by_resource else None,
            priority=-self._order[task.backend.name],
        )
        self._out[future] = _Out(task, workers)
        return workers

    def _given_up(self) -> Iterator[Unavailable]:
        """Backends that no worker can run, where none has come for long, or where each that could has failed."""
        now = time.monotonic()
        if self._out or any(now < until for _, _, until in self._members.asked.values()):
            self._idle_since = now
            return
        late = now - self._idle_since > self._patience
        for name, queue in self._todo.items():
            if queue and not self._members.able(queue[0]) and (late or name in self._errors):
                error = self._errors.get(name) or self._without_worker(queue[0])
                yield Unavailable(queue[0], error)
                self._give_up(name)

    def _without_worker(self, task: Task) -> BackendUnavailable:
        """What is said of the backend of a task that no worker has come for."""
        within = f"has come within {self._patience:g} s"
        if task in self._losses:
            within += f" since one was lost {between(task)}"
        if not self._by_resource:
            return BackendUnavailable(
                f"no process of the cluster of this machine {within}",
                hint="see that the machine has memory left, or run with --executor local",
                spec=task.backend.name,
            )
        wanted = " and ".join(needs(task.backend)) or "anything"
        return BackendUnavailable(
            f"no worker with {wanted} {within}",
            hint="start one by `conformance worker --scheduler ADDRESS` where the framework is installed",
            spec=task.backend.name,
        )

    def _back(self, future: Any) -> _Out:
        """A task that is out no longer."""
        out = self._out.pop(future)
        self._kept.pop(out.task, None)
        return out

    def _again(self, future: Any) -> _Out:
        """Do a task anew, before all others."""
        out = self._back(future)
        future.cancel(force=True)
        self._put_first(out.task)
        return out

    def _put_first(self, task: Task) -> None:
        """Do a task before all others of its backend.

        The one that was first keeps no worker meanwhile: only what is first gets one, and none may be left for this.
        """
        queue = self._todo[task.backend.name]
        if queue:
            self._kept.pop(queue[0], None)
        queue.appendleft(task)

    def _lost(self, future: Any) -> None:
        """Do a task anew whose workers were lost; where that has happened too often, its backend is given up.

        It may have waited there behind another one, which is the reason. So it is done again with a worker of its own,
        and given up for what happens then.
        """
        alone = self._out[future].task in self._kept
        out = self._again(future)
        if self._losses.too_many(out.task) and alone:
            self._failed.append(given_up(out.task, self._members.end_of(*out.workers)))
            self._give_up(out.task.backend.name)

    def _give_up(self, name: str) -> None:
        """Do no more of a backend's tasks, and call back those that are out."""
        self._todo[name].clear()
        for future in [future for future, each in self._out.items() if each.task.backend.name == name]:
            self._back(future)
            future.cancel(force=True)
        for task in [task for task in self._kept if task.backend.name == name]:
            del self._kept[task]

    def _answers(self, futures: Iterable[Any]) -> dict[Any, Any]:
        """What came of those tasks that are done, fetched at once; one by one where that fails."""
        done = [each for each in futures if each.status == "finished"]
        with contextlib.suppress(Exception):
            fetch = partial(self._client.gather, done, asynchronous=True)
            return dict(zip(done, self._client.sync(fetch, callback_timeout=FETCH), strict=True))
        return {}

    def _result(self, future: Any, answers: Mapping[Any, Any]) -> Done | Unavailable | None:
        """What came of a task that is back; None where it has to be done again."""
        from distributed import KilledWorker

        out = self._out[future]
        name = out.task.backend.name
        if future.status == "pending":  # its worker was lost before the answer was fetched, as the next look will show
            return None
        if future.status in ("cancelled", "lost"):
            self._again(future)
            return None
        try:
            worker, answer = answers[future] if future in answers else future.result(timeout=FETCH)
        except KilledWorker:
            self._lost(future)
            return None
        self._back(future)
        member = self._members.former_member(worker)
        problem = "" if isinstance(answer, Unavailable) else self._differs(name, answer.record)
        if isinstance(answer, Done) and not problem:
            return unpacked(replace(answer, worker=member.record))
        known = name in member.without  # by another task that was out
        member.without.add(name)
        if isinstance(answer, Unavailable):
            self._errors.setdefault(name, answer.error)
        elif not known:
            self._members.notes.append(Note(f"worker {member.record.name} is not used for {name}: {problem}"))
        self._put_first(out.task)
        return None

    def _differs(self, name: str, now: BackendRecord) -> str:
        """What is another version here, or other code, than where the backend ran first; empty for nothing."""
        first = self._firsts.setdefault(name, now)
        return now.other_versions(first) or ("" if now.code == first.code else "its code is another one")

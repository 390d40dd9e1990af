"""Whichever workers of a cluster are lost, and when: a run ends, and all tasks are done that a worker is left for."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance import __version__
from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.case import Case
from conformance.model.errors import BackendUnavailable
from conformance.model.records import WorkerRecord
from conformance.profiles.register import Evidence
from conformance.profiles.subject import Subject
from conformance.run.executors.dask import executor, members
from conformance.run.executors.dask.connect import Fleet
from conformance.run.executors.dask.worker import describe, packed
from conformance.run.executors.losses import LOSSES
from conformance.run.plan import Portion
from conformance.run.tasks import Done, Task, Terms, Unavailable

#: Simulated seconds: how long a worker is waited for, and what no run of these few tasks takes.
PATIENCE, MOST = 3.0, 1000.0
ENTRY = Entry(Case(id="case", why="w", op="softmax", logits=[1.0], dtypes=("float32",)), "theme", Path("cases.yaml"), 0)
#: What happens, and to which worker among those that are there.
Event = tuple[str, int]


class FakeFuture:
    """Something that was sent out, and the workers that may do it."""

    def __init__(self, workers: Sequence[str], task: Task | None = None, answer: object = None) -> None:
        self.workers = workers
        self.task = task
        self.answer = answer
        self.status = "finished" if task is None else "pending"
        self.losses = 0

    def result(self, timeout: float) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def cancel(self, force: bool) -> None:
        self.status = "cancelled"


class FakeCluster:
    """A scheduler and its workers, the run's client of it, and the clock of them all.

    One event happens each time that the run waits, and when there are none left, one worker after another ends what it
    does. A backend in ``broken`` does not start on the first worker.
    """

    status = "running"

    def __init__(self, workers: int, events: Sequence[Event], broken: Collection[str] = ()) -> None:
        self.workers = [f"worker-{number}" for number in range(workers)]
        self.come = workers
        self.events = deque(events)
        self.broken = broken
        self.sent: list[FakeFuture] = []
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < MOST, "the run does not end"

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        known = {"resources": {"numpy": 1.0}, "last_seen": self.now}
        return {"workers": {address: {"name": address, **known} for address in self.workers}}

    def get_events(self, topic: str) -> list[Any]:
        return []

    def submit(self, function: Callable[..., object], *arguments: Any, workers: list[str], **_: object) -> FakeFuture:
        if function is describe:
            return FakeFuture(workers, answer=WorkerRecord(name=workers[0], suite=__version__))
        self.sent.append(FakeFuture(workers, arguments[0]))
        return self.sent[-1]

    def gather(self, futures: Sequence[FakeFuture], asynchronous: bool) -> list[object]:
        return [future.result(0.0) for future in futures]

    def sync(self, fetch: Callable[[], object], callback_timeout: float) -> object:
        return fetch()

    def cancel(self, futures: Sequence[FakeFuture], force: bool) -> None:
        for future in futures:
            future.cancel(force)

    def wait(self, futures: Sequence[FakeFuture], timeout: float, return_when: str) -> Any:
        self.sleep(timeout / 2)
        if self.workers:
            what, place = self.events.popleft() if self.events else ("done", int(self.now))
            self.happens(what, self.workers[place % len(self.workers)])
        done = [future for future in futures if future.status != "pending"]
        if not done:
            raise TimeoutError
        return SimpleNamespace(done=done)

    def happens(self, what: str, worker: str) -> None:
        future = self.under_way().get(worker)
        if what in ("lost", "replaced"):
            self.workers.remove(worker)
            if what == "replaced":
                self.workers.append(f"worker-{self.come}")
                self.come += 1
            if future is not None:
                future.losses += 1
                if future.losses > 1:  # as a scheduler with `allowed-failures: 1`
                    future.status, future.answer = "error", distributed.KilledWorker("task", None, 1)
        elif future is not None and what == "forgotten":
            future.status = "cancelled"
        elif future is not None:
            future.status, future.answer = "finished", (worker, self.outcome(future.task, worker))

    def under_way(self) -> dict[str, FakeFuture]:
        """What each worker does: the first of what it may do that no other one does."""
        found: dict[str, FakeFuture] = {}
        for future in self.sent:
            free = [each for each in self.workers if each in future.workers and each not in found]
            if future.status == "pending" and free:
                found[free[0]] = future
        return found

    def outcome(self, task: Task | None, worker: str) -> Done | Unavailable:
        assert task is not None
        name = task.backend.name
        if name in self.broken and worker == "worker-0":
            return Unavailable(task, BackendUnavailable("it does not start", spec=name))
        evidence = Evidence(())
        return packed(Done(name, 1, BackendRecord(name=name), Subject(name), b"", Counter(), 0, evidence))


def run(cluster: FakeCluster, counts: Sequence[int]) -> tuple[Counter[str], set[str]]:
    """How many tasks of each backend a run has done, where ``counts`` were asked, and the backends given up."""
    tasks = [
        Task(
            SimpleNamespace(name=f"backend-{number}", base="numpy", source="", devices=(), words=()),
            Portion(0, (ENTRY,)),
        )
        for number, count in enumerate(counts)
        for _ in range(count)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "connected", lambda _: contextlib.nullcontext(cluster))
        patch.setattr(executor, "time", cluster)
        patch.setattr(members, "time", cluster)
        patch.setattr(distributed, "wait", cluster.wait)
        results = [*executor.DaskExecutor(Terms(), Fleet("tcp://fleet", patience=PATIENCE)).run(tasks)]
    done = Counter(each.backend for each in results if isinstance(each, Done))
    return done, {each.task.backend.name for each in results if isinstance(each, Unavailable)}


EVENTS = st.tuples(st.sampled_from(["done", "lost", "replaced", "forgotten"]), st.integers(0, 3))


# A worker is lost at the first task while the second one waits for the other worker: the first one waits for it, too.
@example(
    2,
    [("replaced", 0), ("forgotten", 0), ("replaced", 0), ("lost", 1), ("forgotten", 2)],
    [2, 1],
    set(),
)
@given(
    st.integers(1, 4),
    st.lists(EVENTS, max_size=30),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.sets(st.sampled_from(["backend-0", "backend-1"])),
)
def test_all_is_done_that_a_worker_is_left_for_whichever_are_lost(
    workers: int, events: list[Event], counts: list[int], broken: set[str]
) -> None:
    cluster = FakeCluster(workers, events, broken)
    done, given_up = run(cluster, counts)
    for number, count in enumerate(counts):
        name = f"backend-{number}"
        assert done[name] == count or (name in given_up and done[name] < count)
    # Without a task that is taken for the reason, a backend is given up only where no worker is left for it.
    losses = sum(what in ("lost", "replaced") for what, _ in events)
    if cluster.workers and losses <= LOSSES:
        assert given_up <= broken

"""The workers of a Dask cluster that a run uses: which come, which are lost, and how they have ended.

One with another version of the suite is not used. One that gives no sign of life is ended, and so lost.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from conformance import __version__
from conformance.model.errors import HarnessError
from conformance.model.records import WorkerRecord
from conformance.results.environment import suite_commit
from conformance.run.executors.dask.connect import CONNECT, ENDS
from conformance.run.executors.dask.resources import needs
from conformance.run.executors.dask.worker import describe
from conformance.run.tasks import Note, Task
from conformance.worker.supervisor import reason_of

__all__ = ["FETCH", "LOOK", "Member", "Members", "new_key"]

#: Seconds between two looks at which workers there are.
LOOK = 1.0
#: Seconds for the fetching of answers: those of a worker that is lost meanwhile would be waited for without end.
FETCH = 10.0
#: Looks in a row without a sign of life of a worker after which it is lost. Time in which this process is stopped, or
#: the machine sleeps, has no looks.
SILENT = 60
#: Seconds for a silent worker's nanny to end it.
CLOSE = 8.0
#: Seconds for what is known of how a worker has ended to come.
KNOWN = 5.0


@dataclass(eq=False)
class Member:
    """A worker that is used: what it has, and the backends that do not run there."""

    record: WorkerRecord
    resources: frozenset[str]
    without: set[str] = field(default_factory=set)
    seen: float = 0.0  # by the scheduler, and its clock
    silent: int = 0  # looks since


class Members:
    """The workers that are ``used``, by their addresses.

    ``notes`` are to be said of them, and ``asked`` are the futures of those that are asked what they are. Where the
    cluster is not ``by_resource``, each can do all tasks.
    """

    def __init__(self, client: Any, *, by_resource: bool) -> None:
        self.used: dict[str, Member] = {}
        self.notes: deque[Note] = deque()
        #: New workers: address, what the scheduler knows of each, and until when its answer is waited for.
        self.asked: dict[Any, tuple[str, Any, float]] = {}
        self._client = client
        self._by_resource = by_resource
        self._former: dict[str, Member] = {}  # with those that are lost, of which an answer may still lie here
        self._refused: set[str] = set()
        self._commit = suite_commit()
        self._looked = -LOOK

    def look(self) -> None:
        """See which workers there are, and ask new ones what they are. Raises HarnessError without a scheduler."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        there = self._client.scheduler_info(n_workers=-1).get("workers")
        if there is None:  # the scheduler does not answer; the client tries to reach it for a while
            if self._client.status in ("closing", "closed"):
                raise HarnessError("the scheduler is lost; complete the run with --resume")
            return
        known = {*self.used, *self._refused, *(address for address, _, _ in self.asked.values())}
        for address in [address for address in there if address not in known]:
            future = self._client.submit(describe, key=new_key(), pure=False, workers=[address], priority=1)
            self.asked[future] = (address, there[address], self._looked + CONNECT)
        for future in [each for each, (address, _, _) in self.asked.items() if address not in there]:
            del self.asked[future]
        for address in [address for address in self.used if address not in there]:
            self.notes.append(Note(f"worker {self.used.pop(address).record.name} is lost: others do its tasks"))
        self._end_silent(there)

    def join(self, future: Any) -> None:
        """Use the worker that has said what it is, or refuse it."""
        address, known, _ = self.asked.pop(future)
        try:
            said = future.result(timeout=FETCH)
        except Exception as error:  # of whatever version it is
            said = error
        refusal = _refusal(said, self._commit)
        if refusal:
            self._refused.add(address)
            self.notes.append(Note(f"worker {known['name']} is not used: {refusal}"))
            return
        record = msgspec.structs.replace(said, resources=sorted(known["resources"]))
        self.used[address] = self._former[address] = Member(record, frozenset(known["resources"]))

    def able(self, task: Task) -> set[str]:
        """Those that have what a task takes, as far as is known."""
        wanted = needs(task.backend).keys() if self._by_resource else set()
        name = task.backend.name
        return {at for at, each in self.used.items() if wanted <= each.resources and name not in each.without}

    def former_member(self, address: str) -> Member:
        """The worker that has or had an address."""
        return self._former[address]

    def end_of(self, address: str) -> str:
        """How a worker that is lost has ended, as far as that is known."""
        if self._former[address].silent >= SILENT:
            return f"no sign of life for {SILENT * LOOK:g} s"
        until = time.monotonic() + KNOWN
        while time.monotonic() < until:
            ends = {event["worker"]: event["code"] for _, event in self._client.get_events(ENDS)}
            if address in ends:
                return reason_of(ends[address])
            time.sleep(0.1)
        return "its worker is lost"

    def _end_silent(self, there: Mapping[str, Any]) -> None:
        """Have workers end that give no sign of life, so that the next look finds them lost."""
        for address, member in self.used.items():
            seen = there[address]["last_seen"]
            member.silent = member.silent + 1 if seen == member.seen else 0
            member.seen = seen
        silent = [address for address, each in self.used.items() if each.silent >= SILENT]
        if silent:
            # The client's own `restart_workers` waits for them to come back, and takes none without a nanny.
            with contextlib.suppress(OSError):  # a lost connection, or no answer in time: the next look tries again
                self._client.sync(
                    self._client.scheduler.restart_workers,
                    workers=silent,
                    timeout=CLOSE,
                    wait_for_workers=False,
                    on_error="return",
                    stimulus_id=new_key(),
                    callback_timeout=2 * CLOSE,
                )


def new_key() -> str:
    """A key that nothing else of the scheduler has."""
    return f"conformance-{os.urandom(8).hex()}"


def _refusal(said: Any, own: str | None) -> str:
    """Why a worker is not used; empty where it is."""
    if not isinstance(said, WorkerRecord):
        return f"it does not answer as this version of the suite does ({type(said).__name__}: {said})"
    if said.suite != __version__:
        return f"it has version {said.suite} of the suite, and this run has {__version__}"
    if own and said.commit and said.commit != own:
        return f"it runs the suite's commit {said.commit}, and this run {own}"
    return ""

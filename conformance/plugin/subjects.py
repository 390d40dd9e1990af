"""The backends under test, each in a process of its own, and the outcomes of the cases that are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.cases.load import Entry
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.profiles.subject import Subject
from conformance.results.environment import available_cores
from conformance.run.judged import OpenBackend, open_backend
from conformance.run.plan import Plan, Portion, RunBudget
from conformance.worker.limits import Limits

__all__ = ["FileBatch", "UnderTest", "Want"]

#: What a test asks for: case and dtype.
Want = tuple[str, str]


#: One call that hangs is asked twice, and may be the first of its batch: three in a row are more than one call's.
HANGS = 3


@dataclass(eq=False)
class UnderTest:
    """A backend that discovery found, and its process, which starts when it is first needed."""

    found: Any
    timeout: float = 60.0
    identities: bool = True
    _open: OpenBackend | None = None
    _error: UsageError | None = None

    @property
    def name(self) -> str:
        """As results call it."""
        return str(self.found.name)

    def plan(self, entries: Sequence[Entry], dtypes: Sequence[str]) -> Plan:
        """The calls of some cases, in chunks."""
        return Plan(entries, tuple(dtypes), self.identities, RunBudget(seconds=self.timeout))

    def judge(self, portion: Portion) -> list[Outcome]:
        """The outcomes of some cases, those left out included.

        Raises UsageError where the backend cannot be started, every time at no cost.
        """
        if self._error is not None:
            raise self._error
        if self._open is None:
            # With pytest-xdist each of its workers has a process like this one.
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            threads = max(1, available_cores() // workers)
            self._open = open_backend(self.found, threads=threads, limits=Limits(call=self.timeout, hangs=HANGS))
        try:
            return self._open.judge(portion).outcomes
        except UsageError as error:
            self._error = error
            raise

    def subject(self) -> Subject:
        """What it is judged as, once it has been asked."""
        assert self._open is not None
        return self._open.subject

    def close(self) -> None:
        """End the process."""
        if self._open is not None:
            self._open.close()


@dataclass(eq=False)
class FileBatch:
    """The cases of one file that are to be tested on one backend: run a chunk at a time, as tests ask for them."""

    under_test: UnderTest
    entries: Sequence[Entry]
    dtypes: Sequence[str]
    _ready: dict[Want, list[Outcome]] = field(default_factory=dict)
    _portions: Iterator[Portion] | None = None

    def outcomes(self, want: Want) -> list[Outcome]:
        """What became of a case in a dtype. Raises UsageError where the backend cannot be started."""
        if self._portions is None:
            self._portions = iter(self.under_test.plan(self.entries, self.dtypes).portions)
        while want not in self._ready and (portion := next(self._portions, None)) is not None:
            cases = {entry.case.id for entry in portion.entries}
            for each in self.under_test.judge(portion):
                # What a case of an earlier portion has left behind, whose test is over, fails the one that it shows in.
                shown = (each.case, each.dtype) if each.case in cases else want
                self._ready.setdefault(shown, []).append(each)
        return self._ready.pop(want, [])

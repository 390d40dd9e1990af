"""The backends under test, each in a process of its own, and the outcomes of the cases that are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.cases.load import Entry
from conformance.judge.finding import Subject, outcome
from conformance.judge.judge import Judge
from conformance.model.errors import UsageError
from conformance.model.records import Outcome
from conformance.profiles.register import apply_register, entries_for
from conformance.run.conduct import judge_chunk
from conformance.run.launch import subject_of
from conformance.run.plan import Chunk, Plan
from conformance.run.plan import Limits as Budget
from conformance.worker.executor import Limits, Session

__all__ = ["Batch", "Plans", "UnderTest", "Want"]

#: What a test asks for: case and dtype.
Want = tuple[str, str]


@dataclass(frozen=True)
class Plans:
    """How cases become calls."""

    timeout: float = 60.0
    identities: bool = True

    def plan(self, entries: Sequence[Entry], dtypes: Sequence[str]) -> Plan:
        """The calls of some cases, in chunks."""
        return Plan(entries, tuple(dtypes), self.identities, Budget(seconds=self.timeout))


@dataclass(eq=False)
class UnderTest:
    """A backend that discovery found, and its process, which starts when it is first needed."""

    found: Any
    plans: Plans
    _session: Session | None = None
    _subject: Subject | None = None
    _error: UsageError | None = None

    @property
    def name(self) -> str:
        """As results call it."""
        return str(self.found.name)

    def subject(self) -> Subject:
        """What the judge knows of it. Raises UsageError where it cannot be started, every time at no cost."""
        if self._error is not None:
            raise self._error
        if self._subject is None:
            # With pytest-xdist each of its workers has a process like this one.
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            threads = max(1, (os.cpu_count() or 1) // workers)
            self._session = Session(self.found.spec, threads=threads, limits=Limits(call=self.plans.timeout))
            try:
                self._subject = subject_of(self.found.name, self._session.describe())
            except UsageError as error:
                self._error = error
                raise
        return self._subject

    def judge(self, chunk: Chunk) -> Iterator[Outcome]:
        """The outcomes of a chunk of calls, skipped cases included."""
        subject = self.subject()
        assert self._session is not None
        answers = list(self._session.run(chunk.requests))
        register = entries_for(subject)
        for unit in judge_chunk(chunk, Judge(subject), answers):
            made = [outcome(each, subject, chunk.themes[each.problem.case.id]) for each in unit]
            yield from apply_register(register, made)
        for skip in chunk.skips:
            yield _left_out(skip.entry, skip.dtype, skip.reason, subject)

    def close(self) -> None:
        """End the process."""
        if self._session is not None:
            self._session.close()


def _left_out(entry: Entry, dtype: str, reason: str, subject: Subject) -> Outcome:
    return Outcome(
        case=entry.case.id,
        theme=entry.theme,
        backend=subject.name,
        dtype=dtype,
        layout="contiguous",
        op=entry.case.op,
        check="value",
        verdict="not run",
        reason="left-out",
        detail=reason,
    )


@dataclass(eq=False)
class Batch:
    """The cases of one file that are to be tested on one backend: run a chunk at a time, as tests ask for them."""

    under_test: UnderTest
    entries: Sequence[Entry]
    dtypes: Sequence[str]
    _ready: dict[Want, list[Outcome]] = field(default_factory=dict)
    _chunks: Iterator[Chunk] | None = None

    def outcomes(self, want: Want) -> list[Outcome]:
        """What became of a case in a dtype. Raises UsageError where the backend cannot be started."""
        self.under_test.subject()
        if self._chunks is None:
            plan = self.under_test.plans.plan(self.entries, self.dtypes)
            self._chunks = (plan.chunk(number) for number in range(len(plan)))
        while want not in self._ready and (chunk := next(self._chunks, None)) is not None:
            for each in self.under_test.judge(chunk):
                self._ready.setdefault((each.case, each.dtype), []).append(each)
        return self._ready.pop(want, [])

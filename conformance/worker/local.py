"""Judges a backend in this very process: no worker, no time limits, no results file.

For test backends that are known to be harmless, of which dozens share one plan: the oracle's work on a chunk is done
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.judge.finding import Subject, outcome
from conformance.judge.judge import Judge
from conformance.model.records import Outcome
from conformance.profiles.register import apply_register, entries_for
from conformance.run.conduct import judge_chunk
from conformance.run.plan import Chunk, Plan
from conformance.worker.evaluation import Evaluator

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

__all__ = ["LocalJudge", "judge_locally"]


@dataclass(eq=False)
class LocalJudge:
    """One backend instance, and the subject that it is judged as."""

    backend: Backend
    subject: Subject

    def __post_init__(self) -> None:
        self._evaluator = Evaluator(self.backend)
        self._judge = Judge(self.subject)
        self._register = entries_for(self.subject)

    def judge(self, chunk: Chunk) -> Iterator[list[Outcome]]:
        """The outcomes of each unit of a chunk, which may be judged by many backends in turn."""
        answers = [self._evaluator.observe(request) for request in chunk.requests]
        for findings in judge_chunk(chunk, self._judge, answers):
            if findings:
                theme = chunk.themes[findings[0].problem.case.id]
                yield apply_register(self._register, [outcome(each, self.subject, theme) for each in findings])


def judge_locally(backend: Backend, plan: Plan, subject: Subject) -> Iterator[list[Outcome]]:
    """The outcomes of each unit of ``plan`` (case, dtype, layout) in order.

    Lazy by chunk: whoever has seen enough stops. Cases that the plan leaves out have no outcome here. Nothing guards
    against a backend that hangs or crashes.
    """
    local = LocalJudge(backend, subject)
    for number in range(len(plan)):
        yield from local.judge(plan.chunk(number))

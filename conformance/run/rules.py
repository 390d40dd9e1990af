"""What the outcomes of one backend follow from: the judge of it, and its register."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.judge.finding import outcome
from conformance.judge.judge import Judge
from conformance.model.outcome import Outcome
from conformance.profiles.register import MemoryErrors, apply_register, entries_for, errors_of_parts
from conformance.profiles.subject import Subject
from conformance.run.chunk import Chunk
from conformance.run.findings import judge_chunk
from conformance.worker.exchange import Observation

__all__ = ["Rules"]


class Rules:
    """The rules for a subject.

    An operation that is not the suite's own code is outside its register, but for what a framework's part of it raises.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.judge = Judge(subject)
        self.memory_errors = MemoryErrors.of(subject)
        self._register = entries_for(subject)
        self._of_parts = errors_of_parts(subject)

    def outcomes(self, chunk: Chunk, observations: Sequence[Observation]) -> list[list[Outcome]]:
        """The outcomes of each of the chunk's units, with the register applied."""
        units: list[list[Outcome]] = []
        for findings in judge_chunk(chunk, self.judge, observations):
            unit = [outcome(each, self.subject) for each in findings]
            foreign = not unit or unit[0].op in self.subject.overridden
            units.append(apply_register(self._of_parts if foreign else self._register, unit))
        return units

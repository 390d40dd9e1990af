"""A problem to be judged, and its truth under any policies, worked out once for all backends.

A backend that declares a dozen policies and fails a thousand checks would otherwise have the oracle work twelve
thousand times, nearly always to find what it found before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from conformance.cases.resolve import Resolution, resolve
from conformance.judge.narrower import narrowed
from conformance.judge.prepared import Prepared
from conformance.model.classes import Letter
from conformance.model.dtypes import DtypeName
from conformance.model.policies import NORMATIVE, Policies, for_operation
from conformance.model.problem import Problem
from conformance.oracle.block import Block

__all__ = ["CLASS_IN_NARROWER", "Right", "Unit"]

#: The class that results in a narrower dtype are held to. The bounds of looser ones grow with the number of terms, or
#: with the logits, and would describe what is merely wrong.
CLASS_IN_NARROWER: Letter = "B"

#: Whether results are right, by the truth of a single problem.
Right = Callable[[Prepared], bool]

#: Logits of a problem whose truth under other policies is kept for the next backend.
_KEPT = 1 << 14


class Unit(msgspec.Struct, frozen=True, eq=False):
    """A problem as the backend sees it, and what the normative policies make of it."""

    problem: Problem
    resolution: Resolution
    _under: dict[bytes, Prepared] = {}
    _narrowed: list[Unit] = []

    def right_in(self, policies_of: Callable[[Problem], Policies], right: Right) -> DtypeName | Literal[""]:
        """The most precise narrower dtype in which results are ``right``, by what is declared there."""
        return next((each.dtype for each in self.narrower(policies_of) if right(each)), "")

    def narrower(self, policies_of: Callable[[Problem], Policies]) -> Iterator[Prepared]:
        """The truth in each narrower dtype, the most precise first, by what is declared there, if it has one.

        Of a half type whose value is held to float32, it is the half type.
        """
        for other in self._in_narrower_dtypes():
            policies = policies_of(other.problem)
            if self.resolution.problem.held_to is not None:  # or the value would be held to float32 there, too
                policies = msgspec.structs.replace(policies, half_type_result=NORMATIVE.half_type_result)
            resolution = resolve(other.problem, policies)
            if not (resolution.undefined or resolution.must_raise):
                yield other.under(policies, resolution)

    def _in_narrower_dtypes(self) -> Sequence[Unit]:
        if self._narrowed:
            return self._narrowed
        problems = narrowed(self.problem) if self.resolution.problem.held_to is None else (self.problem,)
        found = [Unit(each, resolve(each, NORMATIVE)) for each in problems]
        if self.problem.logits.size <= _KEPT:
            self._narrowed.extend(found)
        return found

    def under(self, policies: Policies, resolution: Resolution) -> Prepared:
        """The truth of this problem alone under other policies; ``resolution`` is what they make of it."""
        key = msgspec.msgpack.encode(policies)
        found = self._under.get(key)
        if found is None:
            flushed = for_operation(policies.subnormal_results, self.problem.dtype, "kept") == "flushed"
            found = Prepared(Block((resolution.problem,)), policies, flushed, (resolution,))
            if self.problem.logits.size <= _KEPT:
                self._under[key] = found
        return found

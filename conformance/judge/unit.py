"""A problem to be judged, and its truth under any policies, worked out once for all backends.

A backend that declares a dozen policies and fails a thousand checks would otherwise have the oracle work twelve
thousand times, nearly always to find what it found before.
"""

from __future__ import annotations

import msgspec

from conformance.cases.resolve import Resolution
from conformance.judge.prepared import Prepared
from conformance.model.policies import Policies, for_operation
from conformance.model.problem import Problem
from conformance.oracle.block import Block

__all__ = ["Unit"]

#: Logits of a problem whose truth under other policies is kept for the next backend.
_KEPT = 1 << 14


class Unit(msgspec.Struct, frozen=True, eq=False):
    """A problem as the backend sees it, and what the normative policies make of it."""

    problem: Problem
    resolution: Resolution
    _under: dict[bytes, Prepared] = {}

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

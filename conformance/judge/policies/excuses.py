"""Which declared policies can excuse a result at all, and the truth under them, worked out once for all backends.

A backend that declares a dozen policies and fails a thousand checks would otherwise have the oracle work twelve
thousand times, nearly always to find what it found before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from conformance.judge.prepared import Prepared
from conformance.judge.resolve import Resolution, resolve
from conformance.model.policies import BY_FIELD, NORMATIVE, Policies, for_operation
from conformance.model.problem import Array, Problem
from conformance.numerics.formats import widen
from conformance.oracle.block import Block

__all__ = ["Unit", "changed", "may_excuse"]

#: Logits of a problem whose truth under other policies is kept for the next backend.
_KEPT = 1 << 14


@dataclass(frozen=True, eq=False)
class Unit:
    """A problem as the backend sees it, and what the normative policies make of it."""

    problem: Problem
    resolution: Resolution
    _under: dict[bytes, Prepared] = field(default_factory=dict)

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


def changed(policies: Policies, declared: Policies, names: Iterable[str]) -> Policies:
    """``policies`` with the fields ``names`` as ``declared`` has them."""
    return msgspec.structs.replace(policies, **{name: getattr(declared, name) for name in names})


def may_excuse(name: str, declared: Policies, unit: Unit, arrays: Sequence[Array]) -> bool:
    """Whether the policy of the field ``name`` can make any difference to what these results are held against.

    One policy may raise the question that another answers: without a default ignored label, -100 is out of range. So
    it is asked both whether it changes anything by itself, and whether it does beside all the others.
    """
    affects = BY_FIELD[name].affects
    if affects == "transform":
        return False
    if affects == "intermediates":
        return not all(np.isfinite(widen(array)).all() for array in arrays if array.dtype.kind in "fV")
    if affects == "answer":
        return True
    other = resolve(unit.problem, changed(NORMATIVE, declared, [name]))
    if not _same_question(unit.resolution, other):
        return True
    without = resolve(unit.problem, changed(declared, NORMATIVE, [name]))
    return not _same_question(without, resolve(unit.problem, declared))


def _same_question(one: Resolution, other: Resolution) -> bool:
    if other.undefined or other.must_raise or other.marked is not None:
        return False
    a, b = one.problem, other.problem
    if (a.class_axis, a.ignore_index) != (b.class_axis, b.ignore_index):
        return False
    return a.targets is b.targets or np.array_equal(np.asarray(a.targets), np.asarray(b.targets))

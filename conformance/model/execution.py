"""Whether calls were executed as they were to be, by the framework's own word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from conformance.model.outcome import Count
from conformance.plain import plural

__all__ = ["ExecutionEvidence", "execution_in_words", "total"]

#: Reasons for graph breaks that are kept of a run.
MOST_REASONS = 50


class ExecutionEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of the execution of ``calls``: how many were compiled as they should be.

    Those that were ``compiled`` ran what the framework compiled; those that are ``uncompiled`` ran as plain Python, or
    operation by operation, though they were to be compiled; of the ``unknown`` nothing is known, as an adapter compiles
    in its own way, or an operation was refused before. The others were not to be compiled. ``graphs`` were compiled;
    ``breaks`` are places at which a graph was broken, each for one of the ``reasons``, and ``cached`` executables came
    from a cache on disk; None where that is not known.

    It is read in the process in which the kernel runs, and is the framework's own word on itself.
    """

    calls: Count = 0
    compiled: Count = 0
    uncompiled: Count = 0
    unknown: Count = 0
    graphs: Count = 0
    breaks: Count | None = None
    cached: Count | None = None
    reasons: dict[str, Count] = {}

    @property
    def eager(self) -> int:
        """Calls that were not to be compiled."""
        return max(0, self.calls - self.compiled - self.uncompiled - self.unknown)


def total(found: Iterable[ExecutionEvidence | None]) -> ExecutionEvidence | None:
    """All together; None where there is none. What is known of some alone is counted for these."""
    known = [each for each in found if each is not None]
    if not known:
        return None
    sums: dict[str, int] = {}
    reasons: Counter[str] = Counter()
    for each in known:
        for name in _NUMBERS:
            count = getattr(each, name)
            if count is not None:
                sums[name] = sums.get(name, 0) + count
        reasons.update(each.reasons)
    return ExecutionEvidence(**sums, reasons=dict(reasons.most_common(MOST_REASONS)))


def execution_in_words(execution: str, evidence: ExecutionEvidence) -> str:
    """The evidence in one line."""
    if evidence.eager == evidence.calls:
        return f"{execution}: {plural(evidence.calls, 'call')}, none of which was to be compiled"
    parts = [f"{evidence.compiled:,} of {plural(evidence.calls - evidence.eager, 'call')} ran compiled"]
    if evidence.uncompiled:
        parts.append(f"{evidence.uncompiled:,} ran uncompiled: unsupported")
    if evidence.unknown:
        parts.append(f"of {evidence.unknown:,} that is not known")
    parts.append(plural(evidence.graphs, "graph"))
    parts.append("graph breaks not known" if evidence.breaks is None else plural(evidence.breaks, "graph break"))
    if evidence.cached:
        parts.append(f"{evidence.cached:,} from a cache on disk")
    return f"{execution}: {', '.join(parts)}"


_NUMBERS = ("calls", "compiled", "uncompiled", "unknown", "graphs", "breaks", "cached")

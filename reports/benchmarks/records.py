"""A benchmark run as reports have it: the records of its file with their rounds, and where it was measured."""

from __future__ import annotations

from statistics import median

import msgspec

from conformance.bench.record import Head, Key, Record

__all__ = ["Benchmarks", "Machine", "Timing"]


class Timing(Record, frozen=True, kw_only=True):
    """One process that was timed: ``data`` are its raw rounds, in seconds per call."""

    data: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """Seconds: the median of the rounds, which is the sample of all statistics."""
        return median(self.data)


class Machine(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What a dead band is good for: the processor, its usable cores, and the threads that were timed."""

    cpu: str
    cores: int | None = None
    threads: int | None = None

    def __str__(self) -> str:
        facts = [self.cpu]
        if self.cores:
            facts.append(f"{self.cores} cores")
        if self.threads:
            facts.append(f"{self.threads} threads")
        return ", ".join(facts)


class Benchmarks(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmarks file: every timing, what could not be timed, and where it was measured.

    ``started`` is ISO 8601; ``head`` is what the file says of the run as a whole.
    """

    path: str
    started: str
    commit: str | None = None
    machine: Machine
    head: Head
    timings: tuple[Timing, ...]
    not_timed: tuple[Record, ...] = ()

    def by_key(self) -> dict[Key, tuple[Timing, ...]]:
        """The timings of each key in the order of their replicates; keys in the order of the file."""
        found: dict[Key, list[Timing]] = {}
        for timing in self.timings:
            found.setdefault(timing.key, []).append(timing)
        return {key: tuple(sorted(each, key=lambda t: t.replicate)) for key, each in found.items()}

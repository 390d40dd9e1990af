"""What a benchmarks file holds, as value objects: a timing is one fresh process on one workload."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

__all__ = ["Accuracy", "Benchmarks", "Key", "Machine", "NotTimed", "Timing"]

Number = float | str


class Key(NamedTuple):
    """What is compared: the same work by the same backend, whatever the process or the run."""

    workload: str
    backend: str
    contract: str
    cache: str

    def __str__(self) -> str:
        return f"{self.workload} [{self.backend}, {self.contract}, {self.cache}]"


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How true the result of this very workload is.

    ``ratio`` is error over the declared class's tolerance, ``ulp`` the error in units of the last place; JSON has no
    infinities, so both may be the strings ``inf`` and ``nan``. ``limits`` gives, per class, the ratio at which that
    class ends: it is 1 for the declared one.
    """

    class_: str | None = msgspec.field(default=None, name="class")
    declared: str | None = None
    ulp: Number | None = None
    ratio: Number | None = None
    verdict: str = ""
    quantity: str | None = None
    positions: int | None = None
    message: str | None = None
    limits: dict[str, float] | None = None

    @property
    def conforms(self) -> bool | None:
        """Whether the verdict lets it be ranked; None where it was not judged, as when the bound is vacuous."""
        return None if self.verdict in ("", "not run") else self.verdict == "pass"

    @property
    def error(self) -> float | None:
        """Error over tolerance as a float, infinite or NaN where it is; ``None`` if it was not had."""
        return _float(self.ratio)


class _Described(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one measurement from another."""

    workload: str
    backend: str
    contract: str
    cache: str
    replicate: int = 0
    framework: str = ""
    version: str = ""
    versions: dict[str, str] = {}
    device: str = ""
    mode: str = ""
    settings: dict[str, str] = {}
    dtype: str = ""
    threads: int | None = None
    order: int | None = None
    status: str = "ok"
    message: str | None = None

    @property
    def key(self) -> Key:
        """What this is a replicate of."""
        return Key(self.workload, self.backend, self.contract, self.cache)


class NotTimed(_Described, frozen=True, kw_only=True):
    """A measurement that gave no times: unsupported, or the process died; ``message`` says why."""


class Timing(_Described, frozen=True, kw_only=True):
    """One process: ``data`` are its raw rounds, in seconds per call; bytes and bytes per second are plain numbers."""

    shape: list[int] = []
    axis: int | None = None
    targets: str = ""
    ignored: float = 0.0
    classes: int | None = None
    positions: int | None = None
    series: str | None = None
    over: str | None = None
    logits_bytes: int | None = None
    floor_bytes: int | None = None
    import_seconds: float | None = None
    first_call_seconds: float | None = None
    compile_cache: str | None = None
    minor_faults: int | None = None
    calls: int | None = None
    peak_bytes: float | None = None
    peak_multiple: float | None = None
    bytes_per_second: float | None = None
    roof_fraction: float | None = None
    amplification: float | None = None
    accuracy: Accuracy | None = None
    data: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """Seconds: the median of the rounds, which is the sample of all statistics."""
        ordered = sorted(self.data)
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


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

    ``started`` is ISO 8601; ``roof`` holds the measured bandwidths in bytes per second, ``roof_range`` the least and
    the greatest of each; ``variables`` are those of the environment that steer frameworks and the allocator.
    """

    path: str
    started: str
    suite: str = ""
    commit: str | None = None
    machine: Machine
    environment: dict[str, Any] = {}
    roof: dict[str, Any] = {}
    roof_range: dict[str, Any] = {}
    variables: dict[str, str] = {}
    seed: int | None = None
    timings: tuple[Timing, ...]
    not_timed: tuple[NotTimed, ...] = ()

    def by_key(self) -> dict[Key, tuple[Timing, ...]]:
        """The timings of each key in the order of their replicates; keys in the order of the file."""
        found: dict[Key, list[Timing]] = {}
        for timing in self.timings:
            found.setdefault(timing.key, []).append(timing)
        return {key: tuple(sorted(each, key=lambda t: t.replicate)) for key, each in found.items()}


def _float(value: Number | None) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        return math.nan

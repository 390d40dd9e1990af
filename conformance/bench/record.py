"""What ``benchmarks.json`` holds beyond pytest-benchmark's own fields: written by `bench`, read by reports.

``extra_info`` of an entry is a :class:`Record`, as is each line of ``not_timed``; ``conformance`` is the :class:`Head`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import msgspec

from conformance.bench.workload import Cache, Contract
from conformance.model.dtypes import DtypeName
from conformance.model.quantities import Quantity

__all__ = ["SCHEMA", "Bandwidth", "Bandwidths", "Head", "Key", "Keyed", "Record", "ResultAccuracy", "Status"]

#: The version of the fields below; raised whenever an older reader would misread a newer file.
SCHEMA = 2
Status = Literal["ok", "unsupported", "error", "crash", "timeout"]


class Key(NamedTuple):
    """What is compared: the same work by the same backend, whatever the process or the run."""

    workload: str
    backend: str
    contract: Contract
    cache: Cache

    def __str__(self) -> str:
        return f"{self.workload} [{self.backend}, {self.contract}, {self.cache}]"


class Keyed(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one :class:`Key`."""

    workload: str
    backend: str
    contract: Contract
    cache: Cache

    @property
    def key(self) -> Key:
        """What this is a replicate of, or compares."""
        return Key(self.workload, self.backend, self.contract, self.cache)


class Bandwidth(msgspec.Struct, frozen=True):
    """Peak bandwidths of a memory in bytes per second: of reading, of copying, and of an exponential stream."""

    read: float
    copy: float
    exp: float


class Bandwidths(msgspec.Struct, frozen=True, tag="bandwidths"):
    """One measurement of a memory: working set in bytes, as text, to kind to one value a try, in bytes per second.

    It is the memory of ``device``; ``message`` is why there are no values.
    """

    sizes: dict[str, dict[str, list[float]]]
    device: str = "cpu"
    message: str = ""


class ResultAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The error of the timed result: the worse of value and gradient. ``ratio`` is error over tolerance.

    ``verdict`` is ``pass``, ``fail``, ``not run`` (the declared class promises nothing here) or ``error``: it could not
    be judged, and ``message`` is why. ``limits`` maps each class to its tolerance over that of the declared one, at the
    worst element: the ratio at which the class ends. JSON has no infinities, so that ``ulp`` (units in the last
    place) and ``ratio`` may be the strings ``inf`` and ``nan``.
    """

    class_: str | None = msgspec.field(name="class", default=None)
    declared: str | None = None
    ulp: float | str | None = None
    ratio: float | str | None = None
    verdict: Literal["pass", "fail", "not run", "error"] | None = None
    quantity: Quantity | None = None
    positions: int | None = None
    limits: dict[str, float] | None = None
    message: str = ""

    @property
    def conforms(self) -> bool | None:
        """Whether the verdict lets it be ranked; None where it was not judged, as when the bound is vacuous."""
        return None if self.verdict in (None, "not run") else self.verdict == "pass"

    @property
    def error(self) -> float | None:
        """Error over tolerance as a float, infinite or NaN where it is; None if there is none."""
        return _float(self.ratio)

    @property
    def error_ulp(self) -> float | None:
        """The error in units in the last place, as :attr:`error`."""
        return _float(self.ulp)


class Record(Keyed, frozen=True, kw_only=True):
    """One entry: a workload on a backend under a contract, in one process.

    Times are seconds, sizes bytes. ``floor_bytes`` is the least traffic; ``bytes_per_second`` that over the median;
    ``bandwidth_fraction`` that over the peak bandwidth's ``read``, or its ``copy`` where a gradient is written;
    ``amplification`` the traffic that the compiler counts over the floor. ``peak_multiple`` is memory beyond the inputs
    over the logits, where these are at least 1 MiB.
    ``compile_cache`` is ``fresh`` in a backend's first process of a run: the first calls of later ones find what
    a framework has kept on disk. ``wrapper_seconds`` is the contract's own share of every call.
    """

    framework: str = ""
    versions: dict[str, str] = {}
    version: str = ""
    device: str = ""
    mode: str = ""
    settings: dict[str, str] = {}
    dtype: DtypeName
    replicate: int
    order: int
    seed: int
    threads: int
    pid: int = 0
    shape: tuple[int, ...]
    axis: int
    classes: int
    positions: int
    targets: str
    ignored: float = 0.0
    reduction: str
    series: str | None = None
    over: str | None = None
    logits_bytes: int
    floor_bytes: int
    import_seconds: float | None = None
    first_call_seconds: float | None = None
    compile_cache: Literal["fresh", "kept"] | None = None
    wrapper_seconds: float | None = None
    gc: dict[str, Any] | None = None
    calls: int | None = None
    minor_faults: int | None = None
    evicted_bytes: int | None = None
    allocator: str = ""
    peak_bytes: int | None = None
    peak_multiple: float | None = None
    peak_bandwidth: Bandwidth | None = None
    bytes_per_second: float | None = None
    bandwidth_fraction: float | None = None
    bytes_accessed: float | None = None
    amplification: float | None = None
    accuracy: ResultAccuracy | None = None
    cuda_seconds: list[float] | None = None
    status: Status = "ok"
    message: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of the run as a whole.

    ``started`` is ISO 8601; ``variables`` are those of the environment that steer frameworks and the allocator.
    ``peak_bandwidth`` maps a device (the number of threads, for the processor) to working sets in bytes, as text, to
    the median of the measurements; ``peak_bandwidth_range`` to the least and the greatest of each kind, and
    ``peak_bandwidth_tries`` holds them all. ``devices`` names the accelerators that were used, and ``process_seconds``
    says how long each process of a backend took.
    """

    schema: int = SCHEMA
    suite: str = ""
    commit: str | None = None
    started: str
    environment: dict[str, Any] = {}
    seed: int
    replicates: int
    threads: int
    cores: list[int] = []
    quick: bool = False
    variables: dict[str, str] = {}
    interrupted: bool = False
    peak_bandwidth: dict[str, dict[str, Bandwidth]] = {}
    peak_bandwidth_range: dict[str, dict[str, dict[str, tuple[float, float]]]] = {}
    peak_bandwidth_tries: list[Bandwidths] = []
    devices: dict[str, str] = {}
    process_seconds: dict[str, list[float]] = {}


def _float(value: float | str | None) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        return math.nan

"""What ``extra_info`` of an entry holds: the fields that reports read, with their types and units."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from conformance.bench.workload import Cache, Contract
from conformance.model.dtypes import DtypeName

__all__ = ["SCHEMA", "Accuracy", "Info", "Roof"]

#: The version of the fields below.
SCHEMA = 1
Status = Literal["ok", "unsupported", "error", "crash", "timeout"]


class Roof(msgspec.Struct, frozen=True):
    """Bandwidths in bytes per second, for working sets of about the entry's size."""

    read: float
    copy: float
    exp: float


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How right the timed result is: the worse of value and gradient. ``ratio`` is error over tolerance.

    ``verdict`` is ``pass``, ``fail``, ``not run`` (the declared class promises nothing here) or ``error``: it could not
    be judged, and ``message`` says why. ``limits`` maps each class to its tolerance over that of the declared one, at
    the worst element: the ratio at which the class ends.
    """

    class_: str | None = msgspec.field(name="class", default=None)
    declared: str | None = None
    ulp: float | None = None
    ratio: float | None = None
    verdict: str | None = None
    quantity: str | None = None
    positions: int | None = None
    limits: dict[str, float] | None = None
    message: str = ""


class Info(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One entry: a workload on a backend under a contract, in one process.

    Times are seconds, sizes bytes. ``floor_bytes`` is the least traffic; ``bytes_per_second`` that over the median;
    ``roof_fraction`` that over the roof's ``read``, or its ``copy`` where a gradient is written; ``amplification``
    the traffic that the compiler tells over the floor. ``peak_multiple`` is memory beyond the inputs over the logits,
    where these are at least 1 MiB.
    ``compile_cache`` is ``fresh`` in a backend's first process of a run: the first calls of later ones find what
    a framework has kept on disk. ``wrapper_seconds`` is the contract's own share of every call.
    """

    workload: str
    backend: str
    framework: str = ""
    versions: dict[str, str] = {}
    version: str = ""
    device: str = ""
    mode: str = ""
    settings: dict[str, str] = {}
    contract: Contract
    dtype: DtypeName
    cache: Cache
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
    roof: Roof | None = None
    bytes_per_second: float | None = None
    roof_fraction: float | None = None
    bytes_accessed: float | None = None
    amplification: float | None = None
    accuracy: Accuracy | None = None
    cuda_seconds: list[float] | None = None
    status: Status = "ok"
    message: str = ""

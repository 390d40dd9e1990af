"""What the driver sends to a process that times, and what it gets back: lines of JSON over a pipe."""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.bench.record import Bandwidths
from conformance.bench.workload import Cache, Contract, Workload

__all__ = [
    "Began",
    "BenchEntry",
    "Event",
    "Job",
    "NotTimed",
    "Orders",
    "Probed",
    "Started",
    "Timed",
    "decode",
    "encode",
]


class BenchEntry(msgspec.Struct, frozen=True):
    """One thing to time. ``order`` is its place in the whole schedule."""

    workload: str
    contract: Contract
    cache: Cache
    order: int

    @property
    def group(self) -> str:
        """What makes entries of different backends comparable."""
        return f"{self.workload}|{self.contract}|{self.cache}"


class Job(msgspec.Struct, frozen=True):
    """One fresh process: a backend's entries in one replicate, or, where ``spec`` is empty, the peak bandwidth."""

    spec: str
    backend: str
    replicate: int
    entries: tuple[BenchEntry, ...]


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a process needs to know.

    ``inputs`` is the folder with the workloads' arrays; ``outputs`` where results to be judged are put, empty where
    none are wanted; ``cache`` a folder for what the framework compiles, empty where it is to keep nothing;
    ``budget`` the seconds that the rounds of an entry may take; ``evict_bytes`` what is written before a cold round;
    ``probe`` asks for peak memory and bytes accessed, too.
    """

    job: Job
    threads: int
    cores: tuple[int, ...]
    workloads: dict[str, Workload]
    inputs: str
    outputs: str
    cache: str
    budget: float
    evict_bytes: int
    probe: bool
    seed: int
    bandwidth_sizes: tuple[int, ...] = ()


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The backend is there. ``wrapper_seconds`` is what the contract itself adds to a call."""

    pid: int
    import_seconds: float
    framework: str
    versions: dict[str, str]
    device: str
    mode: str
    profile: str
    settings: dict[str, str]
    allocator: str
    wrapper_seconds: float


class Began(msgspec.Struct, frozen=True, tag="began"):
    """An entry is under way."""

    order: int


class Timed(msgspec.Struct, frozen=True, tag="timed"):
    """An entry's times: what pytest-benchmark writes for it."""

    order: int
    benchmark: dict[str, Any]


class Probed(msgspec.Struct, frozen=True, tag="probed"):
    """What was looked at after an entry's rounds; ``outputs`` is the folder with its result, empty if there is none.

    ``peak_bytes`` is what the process grew by during a call, ``touched_bytes`` what it accessed beside the inputs.
    ``changed`` names the inputs that hold something else after the calls than before.
    """

    order: int
    peak_bytes: int | None = None
    touched_bytes: int | None = None
    bytes_accessed: float | None = None
    changed: tuple[str, ...] = ()
    outputs: str = ""
    message: str = ""


class NotTimed(msgspec.Struct, frozen=True, tag="not_timed"):
    """An entry, or with ``order`` −1 the whole backend, that could not be timed; ``hint`` says what to do about it."""

    order: int
    status: str
    message: str
    hint: str = ""


Event = Started | Began | Timed | Probed | NotTimed | Bandwidths
_decoder = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """A line of JSON with its newline."""
    return msgspec.json.encode(event) + b"\n"


def decode(line: bytes) -> Event:
    """The event of a line; raises ``msgspec.DecodeError``."""
    event: Event = _decoder.decode(line)
    return event

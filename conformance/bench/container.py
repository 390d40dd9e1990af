"""Results as ``benchmarks.json``: pytest-benchmark's own format, with the suite's fields in ``extra_info``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec

from conformance import disk
from conformance.bench.bandwidth import nearest, spread, typical
from conformance.bench.driver import EntryResult, Results
from conformance.bench.orders import Probed, Timed
from conformance.bench.record import Bandwidth, Head, Key, Record, ResultAccuracy
from conformance.bench.workload import Workload

__all__ = ["NAME", "Container", "write"]

NAME = "benchmarks.json"
_TINY = 1 << 16  # bytes of logits: what a call on fewer touches is the framework's own memory
_SMALL = 1 << 20  # bytes of logits: below, what the framework touches on the side is as much as the tensors


@dataclass(frozen=True, eq=False)
class Container:
    """Everything that the file says; ``head`` is completed by what was measured."""

    results: Results
    workloads: Mapping[str, Workload]
    head: Head
    accuracy: Mapping[Key, ResultAccuracy]

    def document(self) -> dict[str, Any]:
        """The file's content: what was timed in ``benchmarks``, what could not be in ``not_timed``."""
        from pytest_benchmark import __version__ as version

        ordered = sorted(self.results.results, key=lambda each: each.entry.order)
        return {
            "machine_info": _machine(),
            "commit_info": _commit(self.head.commit),
            "benchmarks": [
                each.timed.benchmark | {"extra_info": msgspec.to_builtins(self._record(each))}
                for each in ordered
                if each.timed
            ],
            "datetime": datetime.now(UTC).isoformat(),
            "version": version,
            "not_timed": [msgspec.to_builtins(self._record(each)) for each in ordered if each.refused],
            "conformance": msgspec.to_builtins(self._head),
        }

    @property
    def _head(self) -> Head:
        measured = self.results.bandwidths
        places = {device: str(self.head.threads) if device == "cpu" else device for device in self._bandwidths}
        known = [each.started for each in self.results.results if each.started and each.started.device != "cpu"]
        return msgspec.structs.replace(
            self.head,
            peak_bandwidth={place: self._bandwidths[device] for device, place in places.items()},
            peak_bandwidth_range={place: spread(measured, device) for device, place in places.items()},
            peak_bandwidth_tries=measured,
            devices={each.device: each.settings.get("device", "") for each in known},
            process_seconds=self.results.seconds,
        )

    @cached_property
    def _bandwidths(self) -> dict[str, dict[str, Bandwidth]]:
        """Of the processor's memory, which is measured in every run, and of each device that was."""
        devices = sorted({each.device for each in self.results.bandwidths if each.sizes} - {"cpu"})
        return {device: typical(self.results.bandwidths, device) for device in ("cpu", *devices)}

    def _record(self, result: EntryResult) -> Record:
        entry, job = result.entry, result.job
        workload = self.workloads[entry.workload]
        of_entry = {
            "backend": job.backend,
            "replicate": job.replicate,
            "seed": self.head.seed,
            "threads": self.head.threads,
            "classes": workload.classes,
            "positions": workload.positions,
            "logits_bytes": workload.logits_bytes,
            "floor_bytes": workload.floor_bytes(entry.contract),
        }
        known = msgspec.structs.asdict(workload) | msgspec.structs.asdict(entry) | of_entry
        if result.started is not None:
            version = next(iter(result.started.versions.values()), "")
            known |= msgspec.structs.asdict(result.started) | {"version": version}
        if result.timed is not None:
            known |= self._speed(result.timed, result, workload)
        if result.refused is not None:
            known |= msgspec.structs.asdict(result.refused)
        return Record(**{name: value for name, value in known.items() if name in Record.__struct_fields__})

    def _speed(self, timed: Timed, result: EntryResult, workload: Workload) -> dict[str, Any]:
        """What follows from the times, the peak bandwidth, and the probe (which one replicate makes for all)."""
        benchmark, entry, backend = timed.benchmark, result.entry, result.job.backend
        floor = workload.floor_bytes(entry.contract)
        rate = floor / benchmark["stats"]["median"]
        sizes = self._bandwidths.get(result.started.device, {}) if result.started is not None else {}
        peak = sizes[str(nearest(map(int, sizes), floor))] if sizes else None
        fitting = peak and (peak.copy if entry.contract == "forward+grad" else peak.read)
        probe = self._probes.get((backend, entry.workload, entry.contract), Probed(-1))
        memory, accessed = self._memory(backend, probe), probe.bytes_accessed
        if memory is not None and entry.contract == "forward+grad":
            memory = max(memory, workload.logits_bytes)  # the gradient is there at the end, whatever was seen of it
        relative = None if memory is None or workload.logits_bytes < _SMALL else memory / workload.logits_bytes
        return benchmark["extra_info"] | {
            "compile_cache": "fresh" if result.job.replicate == 0 else "kept",
            "peak_bandwidth": peak,
            "bytes_per_second": rate,
            "bandwidth_fraction": rate / fitting if fitting else None,
            "peak_bytes": memory,
            "peak_multiple": relative,
            "bytes_accessed": accessed,
            "amplification": None if accessed is None else accessed / floor,
            "accuracy": self.accuracy.get(Key(entry.workload, backend, entry.contract, entry.cache)),
        }

    def _memory(self, backend: str, probe: Probed) -> int | None:
        """Growth, or what was touched beyond what a tiny call touches: each misses what the other sees.

        A process does not grow by memory that its allocator kept, and does not touch what it has given back.
        """
        touched = None if probe.touched_bytes is None else probe.touched_bytes - self._idle.get(backend, 0)
        return max((each for each in (probe.peak_bytes, touched) if each is not None), default=None)

    @cached_property
    def _idle(self) -> dict[str, int]:
        """What the interpreter and the framework touch in a call whose tensors hardly count, for each backend."""
        found: dict[str, int] = {}
        for (backend, workload, _), probe in self._probes.items():
            if probe.touched_bytes is not None and self.workloads[workload].logits_bytes <= _TINY:
                found[backend] = min(probe.touched_bytes, found.get(backend, probe.touched_bytes))
        return found

    @cached_property
    def _probes(self) -> dict[tuple[str, str, str], Probed]:
        """Of each backend, workload and contract with a warm cache, where alone memory is looked at."""
        return {
            (each.job.backend, each.entry.workload, each.entry.contract): each.probed
            for each in self.results.results
            if each.probed is not None and each.entry.cache == "warm"
        }


def write(folder: Path, document: Mapping[str, Any]) -> Path:
    """Write the file into ``folder`` in one step, so that it is whole or not there; raises HarnessError."""
    return disk.write(folder / NAME, json.dumps(document, indent=1, allow_nan=False) + "\n")


@cache
def _machine() -> dict[str, Any]:
    """pytest-benchmark's own account, without the machine's name: what it is, not whose."""
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

    machine: dict[str, Any] = pytest_benchmark_generate_machine_info()
    return machine | {"node": ""}


def _commit(commit: str | None) -> dict[str, Any]:
    """As pytest-benchmark writes it, of the suite's own checkout."""
    found, _, dirty = (commit or "unversioned").partition("+")
    return {
        "id": found,
        "time": None,
        "author_time": None,
        "dirty": bool(dirty),
        "project": "conformance",
        "branch": "",
    }

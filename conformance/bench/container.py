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

from conformance.bench.driver import Record, Results
from conformance.bench.info import SCHEMA, Accuracy, Info, Roof
from conformance.bench.roof import nearest, spread, typical
from conformance.bench.workload import Workload
from conformance.model.errors import HarnessError

__all__ = ["NAME", "Container", "write"]

NAME = "benchmarks.json"
_TINY = 1 << 16  # bytes of logits: what a call on fewer touches is the framework's own memory
_SMALL = 1 << 20  # bytes of logits: below, what the framework touches on the side is as much as the tensors


@dataclass(frozen=True, eq=False)
class Container:
    """Everything that the file says. ``accuracy`` maps backend, workload, contract and cache to a record."""

    results: Results
    workloads: Mapping[str, Workload]
    run: Mapping[str, Any]
    accuracy: Mapping[tuple[str, str, str, str], Accuracy]

    def document(self) -> dict[str, Any]:
        """The file's content: what was timed in ``benchmarks``, what could not be in ``not_timed``."""
        from pytest_benchmark import __version__ as version

        timed = sorted((each for each in self.results.records if each.timed), key=lambda each: each.entry.order)
        refused = sorted((each for each in self.results.records if each.refused), key=lambda each: each.entry.order)
        places = {device: str(self.run["threads"]) if device == "cpu" else device for device in self._roofs}
        ranges = {device: spread(self.results.roofs, device) for device in self._roofs}
        return {
            "machine_info": _machine(),
            "commit_info": _commit(self.run.get("commit")),
            "benchmarks": [self._benchmark(each) for each in timed],
            "datetime": datetime.now(UTC).isoformat(),
            "version": version,
            "not_timed": [msgspec.to_builtins(self._info(each)) for each in refused],
            "conformance": {
                "schema": SCHEMA,
                **self.run,
                "roof": {places[device]: _by_text(sizes) for device, sizes in self._roofs.items()},
                "roof_range": {places[device]: _by_text(sizes) for device, sizes in ranges.items()},
                "roof_tries": [each.sizes for each in self.results.roofs if each.device == "cpu" and each.sizes],
                "device_roof_tries": [msgspec.to_builtins(each) for each in self.results.roofs if each.device != "cpu"],
                "devices": self._devices,
                "no_roof": {each.device: each.message for each in self.results.roofs if each.message},
                "process_seconds": self.results.seconds,
            },
        }

    @cached_property
    def _roofs(self) -> dict[str, dict[int, dict[str, float]]]:
        """Of the processor's memory, which is measured in every run, and of each device that was."""
        devices = sorted({each.device for each in self.results.roofs if each.sizes} - {"cpu"})
        return {device: typical(self.results.roofs, device) for device in ("cpu", *devices)}

    @property
    def _devices(self) -> dict[str, str]:
        """The accelerators that were used, and what each is called, as far as its backend tells."""
        known = [each.started for each in self.results.records if each.started and each.started.device != "cpu"]
        return {each.device: each.settings.get("device", "") for each in known}

    def _benchmark(self, record: Record) -> dict[str, Any]:
        assert record.timed is not None
        return record.timed.benchmark | {"extra_info": msgspec.to_builtins(self._info(record))}

    def _info(self, record: Record) -> Info:
        entry, job, started = record.entry, record.job, record.started
        workload = self.workloads[entry.workload]
        known: dict[str, Any] = {}
        if started is not None:
            names = ("framework", "versions", "device", "mode", "settings", "pid", "import_seconds", "allocator")
            known |= {name: getattr(started, name) for name in (*names, "wrapper_seconds")}
            known["version"] = next(iter(started.versions.values()), "")
        if record.timed is not None:
            known |= self._speed(record, workload)
        if record.refused is not None:
            known |= {"status": record.refused.status, "message": record.refused.message}
        return Info(
            workload=workload.id,
            backend=job.backend,
            contract=entry.contract,
            dtype=workload.dtype,
            cache=entry.cache,
            replicate=job.replicate,
            order=entry.order,
            seed=self.run["seed"],
            threads=self.run["threads"],
            shape=workload.shape,
            axis=workload.axis,
            classes=workload.classes,
            positions=workload.positions,
            targets=workload.targets,
            ignored=workload.ignored,
            reduction=workload.reduction,
            series=workload.series,
            over=workload.over,
            logits_bytes=workload.logits_bytes,
            floor_bytes=workload.floor_bytes(entry.contract),
            **known,
        )

    def _speed(self, record: Record, workload: Workload) -> dict[str, Any]:
        """What follows from the times, the roof, and the probe (which one replicate makes for all)."""
        assert record.timed is not None
        benchmark, entry = record.timed.benchmark, record.entry
        floor = workload.floor_bytes(entry.contract)
        rate = floor / benchmark["stats"]["median"]
        roof = self._roofs.get(record.started.device, {}) if record.started is not None else {}
        kinds = roof[nearest(roof, floor)] if roof else None
        fitting = None if kinds is None else kinds["copy" if entry.contract == "forward+grad" else "read"]
        probe = self._probes.get((record.job.backend, entry.workload, entry.contract), {})
        peak, accessed = self._peak(record.job.backend, probe), probe.get("bytes_accessed")
        if peak is not None and entry.contract == "forward+grad":
            peak = max(peak, workload.logits_bytes)  # the gradient is there at the end, whatever was seen of it
        return benchmark["extra_info"] | {
            "compile_cache": "fresh" if record.job.replicate == 0 else "kept",
            "roof": None if kinds is None else Roof(**kinds),
            "bytes_per_second": rate,
            "roof_fraction": None if not fitting else rate / fitting,
            "peak_bytes": peak,
            "peak_multiple": None if peak is None or workload.logits_bytes < _SMALL else peak / workload.logits_bytes,
            "bytes_accessed": accessed,
            "amplification": None if accessed is None else accessed / floor,
            "accuracy": self.accuracy.get((record.job.backend, entry.workload, entry.contract, entry.cache)),
        }

    def _peak(self, backend: str, probe: dict[str, Any]) -> int | None:
        """Growth, or what was touched beyond what a tiny call touches: each misses what the other sees.

        A process does not grow by memory that its allocator kept, and does not touch what it has given back.
        """
        touched, grown = probe.get("touched_bytes"), probe.get("peak_bytes")
        seen = [grown, None if touched is None else touched - self._idle.get(backend, 0)]
        return max((each for each in seen if each is not None), default=None)

    @cached_property
    def _idle(self) -> dict[str, int]:
        """What the interpreter and the framework touch in a call whose tensors hardly count, for each backend."""
        found: dict[str, int] = {}
        for (backend, workload, _), probe in self._probes.items():
            touched = probe.get("touched_bytes")
            if touched is not None and self.workloads[workload].logits_bytes <= _TINY:
                found[backend] = min(touched, found.get(backend, touched))
        return found

    @cached_property
    def _probes(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        for each in self.results.records:
            if each.probed is not None:
                here = found.setdefault((each.job.backend, each.entry.workload, each.entry.contract), {})
                for name in ("peak_bytes", "touched_bytes", "bytes_accessed"):
                    if getattr(each.probed, name) is not None:
                        here[name] = getattr(each.probed, name)
        return found


def _by_text(sizes: Mapping[int, Any]) -> dict[str, Any]:
    return {str(size): kinds for size, kinds in sizes.items()}


def write(folder: Path, document: Mapping[str, Any]) -> Path:
    """Write the file into ``folder`` in one step, so that it is whole or not there; raises HarnessError."""
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


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

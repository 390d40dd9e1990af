"""Benchmarks files with a known truth: noise of processes, of a whole run, a drift, rounds with a tail."""

from __future__ import annotations

import io
import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from conformance.reports.benchmarks.cells import cells_of
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.records import Benchmarks
from conformance.reports.benchmarks.tables import HEAD, tables_of

#: spec: (framework, mode, ns per logit, seconds of a first call, error/tolerance, peak multiple)
BACKENDS = {
    "numpy": ("numpy", "eager", 5.2, 0.002, 0.011, 3.0),
    "torch": ("torch", "eager", 1.3, 0.004, 0.021, 2.0),
    "torch:compile": ("torch", "compile", 0.62, 6.5, 0.024, 1.02),
    "jax": ("jax", "jit", 0.71, 0.16, 0.09, 1.0),
    "jax:eager": ("jax", "eager", 2.4, 0.22, 0.09, 3.1),
    "optax": ("optax", "jit", 0.74, 0.17, 0.085, 1.0),
    "tensorflow": ("tensorflow", "eager", 1.9, 0.03, 0.3, 2.1),
    "tensorflow:graph": ("tensorflow", "graph", 1.7, 0.2, 0.3, 2.1),
    "tensorflow:xla": ("tensorflow", "xla", 0.9, 0.5, 7.5, 1.1),
}
WORKLOADS = {
    "classification-4096x1000": (4096, 1000),
    "lm-head-512x32000": (512, 32000),
    "lm-head-256x128256": (256, 128256),
    "latency-1x10": (1, 10),
    "latency-32x1000": (32, 1000),
    **{f"scaling-classes-{c}": ((1 << 18) // c, c) for c in (8, 64, 512, 4096)},
    **{f"scaling-positions-{n}": (n, 1000) for n in (1, 8, 64, 512)},
}
CONTRACTS = {"forward": 1.0, "forward+grad": 2.2}
COPY = 11e9


@dataclass(frozen=True)
class Noise:
    """Standard deviations of log times: between processes, of a whole run, drift over the schedule, of rounds."""

    process: float = 0.015
    run: float = 0.006
    drift: float = 0.01
    rounds: float = 0.02
    tail: bool = True


def document(
    *,
    seed: int = 0,
    noise: Noise = Noise(),
    replicates: int = 5,
    rounds: int = 15,
    backends=BACKENDS,
    workloads=WORKLOADS,
    contracts=CONTRACTS,
    slower: dict[str, float] | None = None,
    started: str = "2026-03-01T10:00:00Z",
    machine: str = "Example CPU @ 2.0 GHz",
) -> dict:
    """A whole file; ``slower`` multiplies the times of a backend."""
    generator = np.random.default_rng(seed)
    entries = []
    keys = [(w, b, c) for w in workloads for b in backends for c in contracts]
    shifts = {key: generator.standard_normal() * noise.run for key in keys}
    schedule = [(key, replicate) for replicate in range(replicates) for key in keys]
    order = generator.permutation(len(schedule))
    phase = generator.uniform(0, 2 * math.pi)
    for place, index in enumerate(order):
        (workload, backend, contract), replicate = schedule[index]
        between = generator.standard_t(3) / math.sqrt(3) if noise.tail else generator.standard_normal()
        level = shifts[workload, backend, contract] + noise.process * between
        level += noise.drift * math.sin(phase + 6 * place / len(schedule))
        times = np.exp(level + noise.rounds * generator.standard_exponential(rounds))
        times *= _seconds(workload, workloads[workload], backends[backend], contract)
        times *= (slower or {}).get(backend, 1.0)
        entries.append(
            _entry(workload, workloads[workload], backend, backends[backend], contract, replicate, place, times)
        )
    return {
        "machine_info": {"node": "somewhere", "cpu": {"brand_raw": machine, "count": 4}},
        "commit_info": {"id": "0" * 40},
        "datetime": started,
        "version": "5.3.1",
        "benchmarks": entries,
        "not_timed": [],
        "conformance": {
            "schema": 2,
            "suite": "0.1",
            "commit": "0" * 40,
            "started": started,
            "environment": {"cpu": machine, "cores": {"usable": 2, "all": 4}},
            "peak_bandwidth": {"2": {"268435456": {"read": 18e9, "copy": COPY, "exp": 9e9}}},
            "seed": seed,
            "replicates": replicates,
            "threads": 2,
        },
    }


def benchmarks(**options) -> Benchmarks:
    """As :func:`document`, read back through the reader."""
    return parse_benchmarks(json.dumps(document(**options)).encode(), "synthetic.json")


def write(folder: Path, **options) -> Path:
    """As :func:`document`, written as a run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(document(**options)))
    return folder


def _seconds(workload: str, shape: tuple[int, int], backend: tuple, contract: str) -> float:
    logits = shape[0] * shape[1]
    own = 1 + 0.3 * math.sin(zlib.crc32(f"{workload}{backend[0]}".encode()))
    return 9e-6 + own * backend[2] * 1e-9 * logits * CONTRACTS.get(contract, 1.0)


def _entry(workload, shape, backend, facts, contract, replicate, order, times) -> dict:
    framework, mode, _, first, error, peak = facts
    logits = 4 * shape[0] * shape[1]
    floor = logits * (2 if "grad" in contract else 1)
    speed = floor / float(np.median(times))
    series = workload.rpartition("-")[0] if workload.startswith("scaling-") else None
    over = series and series.removeprefix("scaling-")
    wobble = 1 + 0.2 * math.sin(zlib.crc32(workload.encode()))
    return {
        "name": f"{workload}[{backend}|{contract}|warm|r{replicate}]",
        "group": f"{workload}|{contract}|warm",
        "param": None,
        "params": None,
        "stats": {"data": [float(each) for each in times]},
        "extra_info": {
            "workload": workload,
            "backend": backend,
            "framework": framework,
            "versions": {framework: "1.2.3"},
            "version": "1.2.3",
            "device": "cpu",
            "mode": mode,
            "contract": contract,
            "dtype": "float32",
            "cache": "warm",
            "replicate": replicate,
            "order": order,
            "seed": 0,
            "targets": "indices",
            "reduction": "mean",
            "threads": 2,
            "shape": list(shape),
            "axis": 1,
            "classes": shape[1],
            "positions": shape[0],
            "series": series,
            "over": over,
            "logits_bytes": logits,
            "floor_bytes": floor,
            "import_seconds": 0.9,
            "first_call_seconds": first + float(np.median(times)),
            "peak_bytes": int(peak * logits),
            "peak_multiple": peak,
            "bytes_per_second": speed,
            "bandwidth_fraction": speed / COPY,
            "accuracy": {
                "class": "B" if error > 0.06 else "A",
                "declared": "B",
                "ulp": 20 * error,
                "ratio": error * wobble,
                "verdict": "pass" if error <= 1 else "fail",
                "quantity": "gradient" if "grad" in contract else "value",
                "positions": 64,
                "limits": {"A": 0.05, "B": 1.0, "C": 1.4},
            },
            "status": "ok",
        },
    }


def printed(function, *arguments, **options) -> str:
    """What a function prints to a console of 80 columns."""
    out = io.StringIO()
    function(*arguments, console=Console(file=out, width=80, force_terminal=False), **options)
    return out.getvalue()


def small(**facts):
    """A run of one process a backend on one small workload, with ``facts`` in every record."""
    whole = document(workloads={"w": (4, 8)}, contracts={"forward": 1.0}, rounds=3, replicates=1)
    for entry in whole["benchmarks"]:
        entry["extra_info"] |= facts
    return whole


def parsed(whole):
    """The run that a document holds."""
    return parse_benchmarks(json.dumps(whole).encode(), "x.json")


def columns(run, backend):
    """A backend's row of the first table, by the name of the column."""
    (table, *_) = tables_of(cells_of(run))
    return next(dict(zip(HEAD, (backend, *row[1:]), strict=True)) for row in table.rows if row[0].content == backend)

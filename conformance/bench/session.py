"""A backend's entries inside their process: timed by pytest-benchmark, and looked at afterwards."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.bench import timed
from conformance.bench.bandwidth import measure_device
from conformance.bench.bound import Bound, bind
from conformance.bench.device import Accelerator, device_of
from conformance.bench.inputs import load
from conformance.bench.orders import Began, BenchEntry, Event, NotTimed, Orders, Probed, Timed
from conformance.bench.outputs import keep
from conformance.bench.record import Bandwidths
from conformance.bench.timing import run_rounds
from conformance.worker.faults import Blame, brief
from conformance.worker.paths import display_place

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

__all__ = ["BenchSession"]


class BenchSession:
    """A backend and its orders; ``report`` hands an event to the driver."""

    def __init__(self, orders: Orders, backend: Backend, report: Callable[[Event], None]) -> None:
        self.orders = orders
        self.backend = backend
        self.report = report
        self._device = device_of(backend, orders.evict_bytes, orders.cores)
        self._first_calls: dict[Hashable, float] = {}
        self._blame = Blame(type(backend))
        gc.freeze()  # what the framework's import left is not looked through before each entry

    def run(self) -> None:
        """Run the entries by pytest, with no plugin but pytest-benchmark's and no file but this package's."""
        # What steers other runs of pytest: their options and plugins, and xdist's mark, which would stop the timing.
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        entries = self.orders.job.entries

        class Plugin:
            def pytest_generate_tests(self, metafunc: Any) -> None:
                metafunc.parametrize("entry", entries, ids=[str(each.order) for each in entries])

            @pytest.fixture
            def timed_session(plugin) -> BenchSession:  # noqa: N805
                return self

        off = [f"no:{name}" for name in ("cacheprovider", "warnings", "doctest", "unittest", "junitxml")]
        plugins = [part for name in ("pytest_benchmark.plugin", *off, "no:faulthandler") for part in ("-p", name)]
        file = Path(timed.__file__)
        pytest.main(
            [
                *(str(file), *plugins, "-c", os.devnull, "--rootdir", str(file.parent), "--noconftest"),
                *("--assert=plain", "-q", "--capture=no", "--benchmark-disable-gc", "--benchmark-quiet"),
                *("--benchmark-timer=time.perf_counter", "--benchmark-storage", f"file://{self.orders.inputs}"),
            ],
            plugins=[Plugin()],
        )

    def time(self, entry: BenchEntry, benchmark: Any) -> None:
        """Time one entry; whatever goes wrong ends in an event, and the next entry is not touched."""
        self.report(Began(entry.order))
        try:
            bound = self.bound(entry)
            job = self.orders.job
            benchmark.name = f"{entry.workload}[{job.backend}|{entry.contract}|{entry.cache}|r{job.replicate}]"
            benchmark.fullname = f"bench::{benchmark.name}"
            benchmark.group = entry.group
            benchmark.param = benchmark.params = None
            seen = run_rounds(benchmark, entry, bound, self.orders.budget, self._device)
            # Of entries that make the same call, only the first finds it neither traced nor compiled.
            kind = (entry.contract, self.orders.workloads[entry.workload].call)
            seen["first_call_seconds"] = self._first_calls.setdefault(kind, seen["first_call_seconds"])
            benchmark.extra_info.update(seen)
            self.report(Timed(entry.order, benchmark.stats.as_dict()))
        except (Exception, SystemExit) as error:
            self.report(self._refused(entry, error))
            return
        if self.orders.probe:
            self._probe(entry, bound)

    def bound(self, entry: BenchEntry) -> Bound:
        """The entry's call with its tensors."""
        workload = self.orders.workloads[entry.workload]
        return bind(self.backend, workload, load(workload, Path(self.orders.inputs, workload.id)), entry.contract)

    def measure_bandwidth(self) -> None:
        """The peak bandwidth of an accelerator's memory, by the process that has it."""
        if not isinstance(self._device, Accelerator):
            return
        try:
            found = measure_device(self.orders.bandwidth_sizes, self.backend, self._device.streams)
        except (Exception, SystemExit) as error:
            found = Bandwidths({}, str(self.backend.device), f"{type(error).__name__}: {brief(error)}")
        self.report(found)

    def _refused(self, entry: BenchEntry, error: BaseException) -> NotTimed:
        fault = self._blame.failure(error)
        if fault.kind == "unsupported":
            return NotTimed(entry.order, "unsupported", fault.message)
        place = display_place(fault.file, fault.line)
        return NotTimed(entry.order, "error", f"{fault.type}: {fault.message}" + (f" (at {place})" if place else ""))

    def _probe(self, entry: BenchEntry, bound: Bound) -> None:
        """Peak memory, bytes accessed, and the result itself: after the rounds, so that none of it is timed."""
        seen: dict[str, Any] = {}
        try:
            if entry.cache == "warm":
                seen |= self._device.memory(bound)
                if entry.contract != "forward-saving":
                    seen["bytes_accessed"] = self.backend.bytes_accessed(*bound.arguments)
            if self.orders.outputs:
                seen["outputs"] = self._keep(entry, bound)
                seen["changed"] = self._changed(entry, bound)
        except (Exception, SystemExit) as error:
            seen["message"] = f"{type(error).__name__}: {brief(error)}"
        self.report(Probed(entry.order, **seen))

    def _keep(self, entry: BenchEntry, bound: Bound) -> str:
        """Write the result to be judged: the value, and the sampled positions of the gradient."""
        folder = Path(self.orders.outputs, str(entry.order))
        arrays = [self.backend.array(each) for each in bound.results()]
        keep(folder, self.orders.workloads[entry.workload], arrays, self.orders.seed)
        return str(folder)

    def _changed(self, entry: BenchEntry, bound: Bound) -> tuple[str, ...]:
        """The inputs that the calls wrote to. Such a kernel may be right each time, and cannot be trained with."""
        workload = self.orders.workloads[entry.workload]
        given = load(workload, Path(self.orders.inputs, workload.id))
        pairs = {"logits": (given.logits, bound.logits)}
        pairs |= {name: (array, bound.call.operands[name]) for name, array in given.operands().items()}
        return tuple(
            name for name, (array, held) in pairs.items() if not np.array_equal(self.backend.array(held), array)
        )

"""The process that times one backend: ``python -m conformance.bench.child ORDERS IN OUT PARENT``.

No NumPy is imported before the thread pools are fixed; pytest runs the entries, pytest-benchmark times them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.backends.contract import Backend
    from conformance.bench.orders import Entry, Event, Orders

__all__ = ["Session", "main"]

TRIES = 3  # of measuring memory


class Session:
    """A backend and its orders; ``report`` hands an event to the driver."""

    def __init__(self, orders: Orders, backend: Backend, report: Any) -> None:
        import gc

        from conformance.bench.timing import DeviceEvictor, Evictor
        from conformance.worker.faults import Blame

        self.orders = orders
        self.backend = backend
        self.report = report
        self._evict = Evictor(orders.evict_bytes, orders.cores) if backend.device == "cpu" else DeviceEvictor(backend)
        self._first_calls: dict[Hashable, float] = {}
        self._blame = Blame(type(backend))
        gc.freeze()  # what the framework's import left is not looked through before each entry

    def time(self, entry: Entry, benchmark: Any) -> None:
        """Time one entry; whatever goes wrong ends in an event, and the next entry is not touched."""
        from conformance.bench.orders import Began, Refused, Timed

        self.report(Began(entry.order))
        try:
            bound = self._bound(entry)
            job = self.orders.job
            benchmark.name = f"{entry.workload}[{job.backend}|{entry.contract}|{entry.cache}|r{job.replicate}]"
            benchmark.fullname = f"bench::{benchmark.name}"
            benchmark.group = entry.group
            benchmark.param = benchmark.params = None
            from conformance.bench.timing import run_rounds

            seen = run_rounds(benchmark, entry, bound, self.orders.budget, self._evict)
            # Of entries that make the same call, only the first finds it neither traced nor compiled.
            kind = (entry.contract, self.orders.workloads[entry.workload].call)
            seen["first_call_seconds"] = self._first_calls.setdefault(kind, seen["first_call_seconds"])
            benchmark.extra_info.update(seen)
            self.report(Timed(entry.order, benchmark.stats.as_dict()))
        except (Exception, SystemExit) as error:
            failure = self._blame.failure(error)
            status = "unsupported" if failure.kind == "unsupported" else "error"
            from conformance.worker.paths import display_place

            place = display_place(failure.file, failure.line)
            where = f" (at {place})" if place and status == "error" else ""
            name = "" if status == "unsupported" else f"{failure.type}: "
            self.report(Refused(entry.order, status, f"{name}{failure.message}{where}"))
            return
        if self.orders.probe:
            self._probe(entry, bound)

    def _bound(self, entry: Entry) -> Any:
        from conformance.bench.inputs import load
        from conformance.bench.timing import bind

        workload = self.orders.workloads[entry.workload]
        return bind(self.backend, workload, load(workload, Path(self.orders.inputs, workload.id)), entry.contract)

    def measure_bandwidth(self) -> None:
        """The peak bandwidth of the device's memory, by the process that has it."""
        from conformance.bench.bandwidth import measure_device
        from conformance.bench.record import Bandwidths
        from conformance.worker.faults import brief

        try:
            found = measure_device(self.orders.bandwidth_sizes, self.backend)
        except (Exception, SystemExit) as error:
            found = Bandwidths({}, str(self.backend.device), f"{type(error).__name__}: {brief(error)}")
        self.report(found)

    def _probe(self, entry: Entry, bound: Any) -> None:
        """Peak memory, bytes accessed, and the result itself: after the rounds, so that none of it is timed."""
        from conformance.bench.machine import peak_bytes, touched_bytes
        from conformance.bench.orders import Probed
        from conformance.worker.faults import brief

        seen: dict[str, Any] = {}
        try:
            if entry.cache == "warm":
                if self.backend.device == "cpu":
                    seen["peak_bytes"] = _middle(peak_bytes, bound.once)
                    touched = _middle(touched_bytes, bound.once)
                    seen["touched_bytes"] = None if touched is None else max(0, touched - bound.input_bytes)
                else:
                    seen["peak_bytes"] = self.backend.device_peak_bytes(bound.once)
                if entry.contract != "forward-saving":
                    upstream = (bound.upstream,) if entry.contract == "forward+grad" else ()
                    seen["bytes_accessed"] = self.backend.bytes_accessed(bound.call, bound.logits, *upstream)
                    if self.backend.device != "cpu" and seen["peak_bytes"] is None:
                        seen["peak_bytes"] = self.backend.planned_bytes(bound.call, bound.logits, *upstream)
            if self.orders.outputs:
                seen["outputs"] = self._keep(entry, bound)
                seen["changed"] = self._changed(entry, bound)
        except (Exception, SystemExit) as error:
            seen["message"] = f"{type(error).__name__}: {brief(error)}"
        self.report(Probed(entry.order, **seen))

    def _keep(self, entry: Entry, bound: Any) -> str:
        """Write the result to be judged: the value, and the sampled positions of the gradient."""
        from conformance.bench.outputs import keep

        folder = Path(self.orders.outputs, str(entry.order))
        arrays = [self.backend.array(each) for each in bound.results()]
        keep(folder, self.orders.workloads[entry.workload], arrays, self.orders.seed)
        return str(folder)

    def _changed(self, entry: Entry, bound: Any) -> tuple[str, ...]:
        """The inputs that the calls wrote to. Such a kernel may be right each time, and is none for a training step."""
        import numpy as np

        from conformance.bench.inputs import load

        workload = self.orders.workloads[entry.workload]
        given = load(workload, Path(self.orders.inputs, workload.id))
        pairs = {"logits": (given.logits, bound.logits)}
        pairs |= {name: (array, bound.call.operands[name]) for name, array in given.operands().items()}
        return tuple(
            name for name, (array, held) in pairs.items() if not np.array_equal(self.backend.array(held), array)
        )


def _middle(measure: Callable[[Callable[[], None]], int | None], call: Callable[[], None]) -> int | None:
    """The median of a few tries: the interpreter's own pages come and go."""
    found = sorted(size for _ in range(TRIES) if (size := measure(call)) is not None)
    return found[len(found) // 2] if found else None


def _start(orders: Orders, report: Any) -> Session | None:
    """Create the backend, timing it; its thread pools are fixed by the environment that the driver gave."""
    import platform  # here, so that what the clock sees is the backend alone

    from conformance.bench.orders import Refused, Started

    begin = perf_counter()
    try:
        from conformance.backends import discovery

        backend = discovery.create(orders.job.spec, orders.threads, Path(orders.cache) if orders.cache else None)
    except (Exception, SystemExit) as error:
        message = getattr(error, "problem", None) or f"{type(error).__name__}: {error}"
        report(Refused(-1, "error", str(message)[:500]))
        return None
    seconds = perf_counter() - begin
    from conformance.bench.machine import allocator
    from conformance.bench.timing import wrapper_seconds
    from conformance.worker.facts import facts_of

    del platform
    try:
        facts = facts_of(backend)
        report(
            Started(
                pid=os.getpid(),
                import_seconds=seconds,
                framework=facts.framework,
                versions=facts.versions,
                device=facts.device,
                mode=facts.mode,
                profile=facts.profile,
                settings=facts.settings,
                allocator=allocator(),
                wrapper_seconds=wrapper_seconds(),
            )
        )
    except Exception as error:
        said = getattr(error, "problem", None) or f"{type(error).__name__}: {error}"
        report(Refused(-1, "error", f"the backend cannot describe itself: {said}"[:500]))
        return None
    return Session(orders, backend, report)


def run_entries(session: Session) -> None:
    """Run the session's entries by pytest, with no plugin but pytest-benchmark's and no file but this package's."""
    # What steers other runs of pytest: their options and plugins, and xdist's mark, with which nothing would be timed.
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    from conformance.bench import timed

    class Plugin:
        def pytest_generate_tests(self, metafunc: Any) -> None:
            entries = session.orders.job.entries
            metafunc.parametrize("entry", entries, ids=[str(each.order) for each in entries])

        @pytest.fixture
        def timed_session(self) -> Session:
            return session

    off = [f"no:{name}" for name in ("cacheprovider", "warnings", "doctest", "unittest", "junitxml", "faulthandler")]
    chosen = [part for name in ("pytest_benchmark.plugin", *off) for part in ("-p", name)]
    pytest.main(
        [
            timed.__file__ or "",
            *chosen,
            *("-c", os.devnull, "--rootdir", str(Path(timed.__file__ or "").parent), "--noconftest", "--assert=plain"),
            *("-q", "--capture=no", "--benchmark-disable-gc", "--benchmark-timer=time.perf_counter"),
            *("--benchmark-quiet", "--benchmark-storage", "file://" + session.orders.inputs),
        ],
        plugins=[Plugin()],
    )


def main(path: str, unused: str, descriptor: str, parent: str) -> None:
    """Carry out the orders in the file ``path`` for the process ``parent``; events go to the pipe ``descriptor``."""
    import faulthandler

    import msgspec

    from conformance.bench.machine import pin
    from conformance.bench.orders import Orders, encode
    from conformance.bench.stop import end_with

    end_with(int(parent))
    faulthandler.enable(file=2, all_threads=False)
    pipe = int(descriptor)
    os.close(int(unused))  # nothing is sent to this process: its orders are complete
    os.set_inheritable(pipe, False)  # what a framework starts must not keep the driver waiting

    def report(event: Event) -> None:
        line = memoryview(encode(event))
        while line:
            line = line[os.write(pipe, line) :]

    orders = msgspec.json.decode(Path(path).read_bytes(), type=Orders)
    pin(orders.cores)
    if not orders.job.spec:
        from conformance.bench.bandwidth import measure

        report(measure(orders.bandwidth_sizes, orders.threads))
        return
    session = _start(orders, report)
    if session is not None:
        run_entries(session)
        if session.backend.device != "cpu":
            session.measure_bandwidth()


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # a framework's threads may hang where the interpreter ends

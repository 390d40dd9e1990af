"""The process that times one backend: ``python -m conformance.bench.child ORDERS IN OUT``.

What the backend's import costs is timed here, and its threads keep to the cores that are chosen here: so NumPy, and
what needs it, is imported after both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.bench.orders import Event, Orders
    from conformance.bench.session import BenchSession

__all__ = ["main"]


def main(path: str, unused: str, descriptor: str) -> None:
    """Carry out the orders in the file ``path``; events go to the pipe ``descriptor``."""
    import faulthandler

    import msgspec

    from conformance.bench.machine import pin
    from conformance.bench.orders import Orders, encode

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
    elif session := _started(orders, report):
        session.run()
        session.measure_bandwidth()


def _started(orders: Orders, report: Callable[[Event], None]) -> BenchSession | None:
    """The backend with its orders; None where it cannot be had, which is reported."""
    import platform  # noqa: F401 (here, so that what the clock sees is the backend alone)

    from conformance.bench.orders import NotTimed, Started

    begin = perf_counter()
    step = ""
    try:
        from conformance.backends import discovery

        backend = discovery.create(orders.job.spec, orders.threads, Path(orders.cache) if orders.cache else None)
        seconds = perf_counter() - begin
        from conformance.bench.machine import allocator
        from conformance.bench.session import BenchSession
        from conformance.bench.timing import wrapper_seconds
        from conformance.worker.facts import describe

        step = "the backend cannot describe itself: "
        facts = describe(backend)
        started = Started(
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
    except (Exception, SystemExit) as error:
        problem = getattr(error, "problem", None) or f"{type(error).__name__}: {error}"
        hint = getattr(error, "hint", None) or "install the framework, or correct the adapter"
        report(NotTimed(-1, "error", f"{step}{problem}"[:500], str(hint)[:500]))
        return None
    report(started)
    return BenchSession(orders, backend, report)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # a framework's threads may hang where the interpreter ends

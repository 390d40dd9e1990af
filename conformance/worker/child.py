"""A backend's process: ``python -m conformance.worker.child ORDERS ANSWERS REGION...``.

The first order names the backend that it becomes; from then on it answers calls, until its driver is gone. Importing
this module imports no NumPy: thread pools read their environment variables when they are loaded.
"""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path
from time import perf_counter_ns

import msgspec

from conformance.worker import wire
from conformance.worker.facts import describe
from conformance.worker.faults import brief, innermost_place
from conformance.worker.held import faulthandler, hold_builtins, hold_numpy, mmap, os
from conformance.worker.shim import Shim
from conformance.worker.state import Snapshots
from conformance.worker.wire import Start, StartFailure, clean

__all__ = ["main"]

hold_builtins(globals())

NEVER = 1 << 30  # more objects than an import makes
HELD_BACK = 20_000_000  # nanoseconds for which an answer may wait for others: each write wakes the driver


def _die_of_fatal_signals() -> None:
    """Print where a fatal signal struck, and die of it, whatever handlers the backend has set while it was loaded.

    PaddlePaddle 3.3.1 handles SIGABRT by allocating memory: after an abort within ``malloc`` it waits for ever.
    """
    faulthandler.disable()  # or the next line does nothing
    faulthandler.enable(file=2, all_threads=False)


def _started(order: Start) -> tuple[tuple[Shim, Snapshots] | None, bytes]:
    """The backend, and the frame that describes it; whatever goes wrong, encoding included, becomes a refusal."""
    try:
        hold_numpy()
        module, _, attribute = order.creator.partition(":")
        collected = gc.get_threshold()
        gc.set_threshold(NEVER)  # what is imported stays: looking through it took a quarter of TensorFlow's import
        backend = getattr(importlib.import_module(module), attribute)(order.spec, order.threads, Path(order.cache))
        _die_of_fatal_signals()
        gc.freeze()
        if gc.get_threshold()[0] == NEVER:  # what the backend has set of its own stays, as its gc.disable() does
            gc.set_threshold(*collected)
        described = describe(backend, order.nonce)
        snapshots = Snapshots(backend)
        described = msgspec.structs.replace(described, state=snapshots.take())
        return (Shim(backend, isolated=True), snapshots), wire.framed(described)
    except BaseException as error:
        hint = getattr(error, "hint", None)  # what discovery raises explains itself
        if isinstance(hint, str):
            problem = getattr(error, "problem", None)
            return None, wire.framed(StartFailure(order.nonce, clean(problem or brief(error), 4000), clean(hint, 4000)))
        file, line = innermost_place(error)
        reason = f"{clean(type(error).__name__)}: {brief(error)} (at {Path(clean(file)).name}:{line})"
        return None, wire.framed(StartFailure(order.nonce, f"cannot be loaded: {reason}"))


def _serve(shim: Shim, snapshots: Snapshots, orders: int, answers: int, regions: list[int]) -> None:
    here = os.getpid()
    maps = [_mapped(region, 0) for region in regions]  # now: later a call may have made it impossible
    while True:
        os.set_blocking(orders, True)  # a call may have had it otherwise
        order = wire.decode_order(_frame(orders))
        if isinstance(order, Start):
            continue
        if len(maps[order.region][0]) < order.size:
            maps[order.region] = _mapped(regions[order.region], order.size)
        memory, protected = maps[order.region]
        waiting: list[bytes] = []
        since = perf_counter_ns()
        for number, call in enumerate(order.calls, 1):
            wire.BEGUN.pack_into(memory, order.size - wire.BEGUN.size, number)
            if order.watchdog:
                faulthandler.dump_traceback_later(order.watchdog, file=2)
            answer = shim.perform(call, memory, protected)
            if os.getpid() != here:  # a copy that a call has made of the process, and let go on
                wire.write_all(answers, wire.framed(answer))
                os._exit(0)
            faulthandler.cancel_dump_traceback_later()  # nor any that the call has set
            waiting.append(wire.framed(answer))
            if (now := perf_counter_ns()) - since > HELD_BACK:
                wire.write_all(answers, b"".join(waiting))
                waiting, since = [], now
        os.set_blocking(answers, True)
        waiting.append(wire.framed(wire.State(order.nonce, snapshots.take())))
        wire.write_all(answers, b"".join(waiting))


def _mapped(region: int, size: int) -> tuple[mmap.mmap, mmap.mmap]:
    """A region's memory, and the same once more, where it cannot be written to."""
    return mmap.mmap(region, size), mmap.mmap(region, size, prot=mmap.PROT_READ)


def _frame(descriptor: int) -> bytes:
    """The next frame. Leaves when the driver is gone."""
    (length,) = wire.LENGTH.unpack(_exactly(descriptor, wire.LENGTH.size))
    return _exactly(descriptor, length)


def _exactly(descriptor: int, count: int) -> bytes:
    pieces: list[bytes] = []
    while count:
        piece = os.read(descriptor, min(count, 1 << 20))
        if not piece:
            os._exit(0)
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def main(arguments: list[str]) -> None:
    """Become the backend that the first order names, and make calls until the driver is gone."""
    orders, answers, *regions = map(int, arguments)
    for each in (orders, answers, *regions):
        os.set_inheritable(each, False)
    _die_of_fatal_signals()
    order = wire.decode_order(_frame(orders))
    assert isinstance(order, Start)
    started, reply = _started(order)
    wire.write_all(answers, reply)
    if started is not None:
        _serve(*started, orders, answers, regions)


if __name__ == "__main__":
    # By its own name: the classes of a frame are then the same, whoever imports this module.
    importlib.import_module("conformance.worker.child").main(sys.argv[1:])

"""Backends with a fault each, which the benchmarks name. Most fail on logits of two rows only."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from typing import ClassVar

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Unsupported

PIPE = int(sys.argv[-1]) if sys.argv[-1].isdigit() else -1  # of a timed process, to the harness


class Raises(Numpy):
    """Raises in the middle, with a message that would steer a terminal."""

    def cross_entropy(self, logits, targets, **options):
        if logits.shape[0] == 2:
            raise ValueError("no \x1b[31m|<b>")
        return super().cross_entropy(logits, targets, **options)


class Hangs(Numpy):
    """Never answers."""

    def cross_entropy(self, logits, targets, **options):
        if logits.shape[0] == 2:
            time.sleep(1000)
        return super().cross_entropy(logits, targets, **options)


class Crashes(Numpy):
    """Dies of a signal."""

    def cross_entropy(self, logits, targets, **options):
        if logits.shape[0] == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().cross_entropy(logits, targets, **options)


class Leaves(Numpy):
    """Ends its process as if all were well."""

    def cross_entropy(self, logits, targets, **options):
        os._exit(0)


class Drips(Numpy):
    """Writes to the pipe of the harness for ever, a byte at a time."""

    def cross_entropy(self, logits, targets, **options):
        while True:
            os.write(PIPE, b"x")
            time.sleep(0.05)


class Pours(Numpy):
    """Writes a line to the pipe of the harness that does not end."""

    def cross_entropy(self, logits, targets, **options):
        while True:
            os.write(PIPE, b"x" * 65536)


class Repeats(Numpy):
    """Reports for ever that it begins."""

    def cross_entropy(self, logits, targets, **options):
        while True:
            os.write(PIPE, b'{"type":"began","order":0}\n')


class Fills(Numpy):
    """Takes memory, up to a gibibyte."""

    def cross_entropy(self, logits, targets, **options):
        taken = [bytearray(b"x" * (1 << 26)) for _ in range(16)]
        time.sleep(1000)
        return taken


class Aborting(io.StringIO):
    """An output that ends the process which flushes it."""

    def flush(self):
        os.abort()


class DiesLast(Numpy):
    """Dies when all that it was asked for is done: a timed process flushes its output then."""

    def cross_entropy(self, logits, targets, **options):
        sys.stdout = Aborting()
        return super().cross_entropy(logits, targets, **options)


class Refuses(Numpy):
    """Has no gradient."""

    def differentiate(self, call, logits, upstream):
        raise Unsupported("there is no gradient here")


class Wrong(Numpy):
    """Fast, perhaps, and off by a hundredth."""

    def cross_entropy(self, logits, targets, **options):
        return super().cross_entropy(logits, targets, **options) * logits.dtype.type(1.01)


class Keeps(Numpy):
    """Hands out what it computed at the first call."""

    kept = None

    def cross_entropy(self, logits, targets, **options):
        if self.kept is None:
            self.kept = super().cross_entropy(logits, targets, **options)
        return self.kept


class Nothing(Numpy):
    """Returns nothing at all, which takes no time."""

    def cross_entropy(self, logits, targets, **options):
        return None


class Unstartable(Numpy):
    """Cannot be made."""

    def __init__(self, **variant):
        raise RuntimeError("no licence")


class Threads(Numpy):
    """Reports, as its settings, the threads and cores that it was given."""

    def settings(self):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return {name: os.environ[name] for name in names} | {"cores": str(sorted(os.sched_getaffinity(0)))}


class Variables(Numpy):
    """Reports, as its settings, what its environment holds."""

    def settings(self):
        names = ("OMP_NUM_THREADS", "GOMP_CPU_AFFINITY", "JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "MINE")
        return {name: os.environ.get(name, "") for name in names}


class SlowAtFirst(Numpy):
    """Takes a while for its first call on a shape, as a compiler does."""

    known: ClassVar[set[tuple[int, ...]]] = set()

    def evaluate(self, call, logits):
        if logits.shape not in self.known:
            self.known.add(logits.shape)
            time.sleep(0.2)
        return super().evaluate(call, logits)


class Numbers(Numpy):
    """Describes itself in numbers."""

    def versions(self):
        return {"mine": 3}

    def settings(self):
        return {"threads": self.threads, "fast": True}


class DiesUnread(Numpy):
    """Dies when its result is read, after it was timed."""

    def array(self, tensor):
        os.kill(os.getpid(), signal.SIGKILL)


class Overwrites(Numpy):
    """Normalises the logits in place: right, and the same again however often it is called."""

    def cross_entropy(self, logits, targets, **options):
        logits -= logits.max(axis=1, keepdims=True)
        return super().cross_entropy(logits, targets, **options)

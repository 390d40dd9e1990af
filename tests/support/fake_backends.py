"""Fake backends over NumPy: a sound one, and one class for each way in which a backend can go wrong.

``create`` takes a class's name where the real discovery takes a specification.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

NUMPY_WAS_EARLY = "numpy" in sys.modules and "OMP_NUM_THREADS" not in os.environ

import numpy as np  # noqa: E402

from conformance.backends.contract import Backend, Call, Unsupported  # noqa: E402

#: A first logit of this value triggers the faults that hit one request only.
TRIGGER = 13.0


class Sound(Backend):
    """Shifted softmax in float64, its gradient by formula."""

    framework = "numpy"
    profile = "fake"

    def versions(self) -> dict[str, str]:
        return {"fake": "1.0"}

    def settings(self) -> dict[str, str]:
        return {"threads": os.environ.get("OMP_NUM_THREADS", "")}

    def tensor(self, array: Any) -> Any:
        return array

    def array(self, tensor: Any) -> Any:
        return np.asarray(tensor)

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        powers = np.exp(logits - logits.max(axis, keepdims=True))
        return powers / powers.sum(axis, keepdims=True)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        return np.log(self.softmax(logits, axis=axis))

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return -np.take_along_axis(log_probabilities, targets[:, None], 1)[:, 0].sum()

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return self.nll_loss(self.log_softmax(logits, axis=1), targets)

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        value = self.evaluate(call, logits)
        if call.operation != "softmax":
            raise Unsupported("no gradient")
        return value, value * (upstream - (upstream * value).sum(-1, keepdims=True))


class Faulty(Sound):
    """Goes wrong by ``fault`` where the first logit is the trigger."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        if logits.flat[0] == TRIGGER:
            return self.fault(call, logits)
        return super().evaluate(call, logits)

    def fault(self, call: Call, logits: Any) -> Any:
        raise NotImplementedError


class Exits(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        os.write(2, b"the last words\n")
        os._exit(3)


class ExitsWithSuccess(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        os._exit(0)


class Segfaults(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return ctypes.string_at(0)


class Aborts(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        os.abort()


class Sleeps(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        time.sleep(600)


class HangsInC(Faulty):
    """Holds the interpreter's lock, so that no Python signal handler can run."""

    def fault(self, call: Call, logits: Any) -> Any:
        ctypes.PyDLL(None).sleep(600)


class PrintsForever(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        while True:
            print("chatter" * 100)


class Chatty(Sound):
    """Prints on every call, from Python and from below it."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        print("from Python")
        os.write(1, b"from below\n")
        os.write(2, b"to standard error\n")
        return super().evaluate(call, logits)


class LeavesBySystemExit(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        sys.exit(7)


class Interrupts(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise KeyboardInterrupt


class Raises(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise ValueError("x" * 2000)


class RaisesUnprintable(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise Mute


class RaisesInFramework(Faulty):
    """An AttributeError from inside the framework is its own refusal, and no slip of the adapter's."""

    def fault(self, call: Call, logits: Any) -> Any:
        return np.linalg.norm(logits.astype(object).ravel(), "no such")  # type: ignore[call-overload]


class Lacks(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise Unsupported("no such feature")


class Slips(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return logits.no_such_method()


class ReturnsNone(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return None


class ReturnsText(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return "1.5"


class ReturnsRagged(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return [[1.0], [2.0, 3.0]]


class _Lazy:
    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("computed too late")


class ReturnsLazilyFailing(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return _Lazy()


class Modifies(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        logits *= 2
        return call.apply(self, logits / 2)


class ModifiesTargets(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        value = call.apply(self, logits)
        call.operands["targets"][...] = 0
        return value


class WritesBeside(Faulty):
    """Treats a strided view as if it were contiguous, and writes there."""

    def fault(self, call: Call, logits: Any) -> Any:
        value = call.apply(self, logits.copy())
        np.lib.stride_tricks.as_strided(logits, (2,), (logits.itemsize,))[1] = 0
        return value


class Unsteady(Faulty):
    calls = 0

    def fault(self, call: Call, logits: Any) -> Any:
        self.calls += 1
        return call.apply(self, logits) + self.calls


class ReusesItsOutput(Faulty):
    """Returns the same buffer for every call: what was returned first must have been read by then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.output = np.zeros(())

    def fault(self, call: Call, logits: Any) -> Any:
        self.output += 1
        return self.output


class ReturnsItsInput(Sound):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits


class ModifiesItsCopy(Sound):
    """Its tensors are copies, and it writes into them."""

    def tensor(self, array: Any) -> Any:
        return array.copy() if isinstance(array, np.ndarray) else array

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        logits[...] = 0
        targets.append(3)
        return logits.sum()


class Exact(Sound):
    """Knows the types of its tensors."""

    tensor_types = (np.ndarray,)


class ReturnsAScalar(Exact):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits.sum()


class ReturnsASubclass(Exact):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits.view(np.matrix)


class ReturnsAListOfNumbers(Exact):
    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return logits.tolist()


class Warns(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        warnings.warn("implicit dimension", UserWarning, stacklevel=1)
        warnings.warn("implicit dimension", UserWarning, stacklevel=1)
        return call.apply(self, logits)


class GradientFails(Sound):
    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        raise ArithmeticError("no gradient today")


class GradientIsNoPair(Sound):
    def differentiate(self, call: Call, logits: Any, upstream: Any) -> Any:
        return self.evaluate(call, logits)


class Dies(Sound):
    """Dies at every call."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        os._exit(1)


class StartsOnce(Faulty):
    """Dies, and cannot be started again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        mark = os.environ["CONFORMANCE_TEST_MARK"]
        if os.path.exists(mark):
            raise OSError("the device is lost")
        open(mark, "w").close()

    def fault(self, call: Call, logits: Any) -> Any:
        os._exit(1)


class HasChildren(Sound):
    """Starts a process of its own that would outlive it."""

    def settings(self) -> dict[str, str]:
        import subprocess

        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return {"child": str(child.pid)}


class HasDaemon(Sound):
    """Starts a process that leaves the session, as a daemon does."""

    def settings(self) -> dict[str, str]:
        import subprocess

        code = "import time; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        return {"daemon": str(child.pid)}


class _Writes(Faulty):
    """Writes to the pipe of the harness: the descriptor is on its command line."""

    data = b""

    def fault(self, call: Call, logits: Any) -> Any:
        arguments = Path("/proc/self/cmdline").read_bytes().split(b"\0")
        os.write(int(arguments[arguments.index(b"conformance.worker.child") + 2]), self.data)
        return call.apply(self, logits)


class WritesNonsense(_Writes):
    data = b"\x03\0\0\0\0\0\0\0abc"


class Forges(_Writes):
    """A well-formed answer, to a nonce that it guessed."""

    @property
    def data(self) -> bytes:  # type: ignore[override]
        from conformance.worker import wire

        result = wire.Result("float64", (1, 3), bytes(24))
        return wire.framed(wire.Answer(12345, {"value": result}))


class AnswersTwice(Forges):
    """Writes an answer of its own, besides the one that is due: after it, that one is the second."""

    def fault(self, call: Call, logits: Any) -> Any:
        import threading

        value = call.apply(self, logits)
        threading.Timer(0.05, lambda: super(AnswersTwice, self).fault(call, logits)).start()
        time.sleep(0.2)
        return value


class RaisesSurrogates(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise ValueError("\udc80 is lone")


class NamesAPath(Sound):
    profile = "../../mine"


class FailsToImport(Sound):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import no_such_framework  # type: ignore[import-not-found]  # noqa: F401


class SlowToImport(Sound):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        time.sleep(600)


class DiesAtImport(Sound):
    def __init__(self, **options: Any) -> None:
        os.write(2, b"Illegal instruction, they said\n")
        os._exit(132)


class RaisesStrangely(Sound):
    """Raises what cannot be sent to another process."""

    def __init__(self, **options: Any) -> None:
        class Local(Exception):
            def __init__(self, one: object, two: object) -> None:
                super().__init__("strange")
                self.lock = __import__("threading").Lock()

        raise Local(1, 2)


def threads_at_import(spec: str, threads: int, cache: Path | None = None) -> Backend:
    """A creator for ``Sound`` that shows whether NumPy was there before the thread pools were set."""
    backend = create("Sound", threads)
    backend.settings = lambda: {"early": str(NUMPY_WAS_EARLY)}  # type: ignore[method-assign]
    return backend


class Keeps(Sound):
    """Shows the folder that it was given for what it compiles."""

    folder: Path | None = None

    @classmethod
    def prepare(cls, *, threads: int, cache: Path | None = None) -> None:
        cls.folder = cache

    def settings(self) -> dict[str, str]:
        return {"cache": str(self.folder)}


class Derived(Sound):
    """Overrides one function of an adapter."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(logits, axis=axis)


def create(spec: str, threads: int, cache: Path | None = None) -> Backend:
    kind: type[Backend] = globals()[spec]
    kind.prepare(threads=threads, cache=cache)
    return kind(threads=threads)

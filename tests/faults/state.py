"""Kinds that change what the calls after them meet: of the system, the interpreter and NumPy."""

from __future__ import annotations

import _multiprocessing
import atexit
import ctypes
import decimal
import faulthandler
import gc
import locale
import multiprocessing.shared_memory
import os
import platform
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from functools import partial
from typing import Any

import numpy as np

from tests.faults.faulty import Faulty
from tests.faults.table import kind

#: What is never let go.
HELD: list[object] = []

TOKEN = os.environ.get("CONFORMANCE_FAULTS", "")  # by which the trial knows what it has started
state = partial(kind, group="state")


@kind(group="alone", process="fail")
def moves(value: Any, logits: Any) -> Any:
    """Another working directory, which is then gone."""
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)
    return value


@state(process="fail")
def empties_the_environment(value: Any, logits: Any) -> Any:
    """No environment variables."""
    os.environ.clear()
    return value


@kind(group="alone")
def deletes_its_temporary_files(value: Any, logits: Any) -> Any:
    """The folder for temporary files is gone, with all that is in it."""
    if "faults" in tempfile.gettempdir():  # of this process alone, or of this trial
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
    return value


@state()
def litters(value: Any, logits: Any) -> Any:
    """Temporary files are left."""
    for number in range(20):
        with open(os.path.join(tempfile.mkdtemp(), str(number)), "wb") as file:
            file.write(bytes(1000))
    return value


@kind(group="alone")
def masks_every_file(value: Any, logits: Any) -> Any:
    """``umask``: files that are made can be used by nobody."""
    os.umask(0o777)
    return value


@kind(group="alone")
def ignores_signals(value: Any, logits: Any) -> Any:
    """Every signal that can be ignored or blocked is."""
    for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return value


@state(process="fail")
def sets_an_alarm(value: Any, logits: Any) -> Any:
    """SIGALRM a minute later, with a handler that does nothing."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(60)
    return value


@kind(group="alone")
def loses_the_search_path(value: Any, logits: Any) -> Any:
    """``sys.path`` is empty."""
    sys.path.clear()
    return value


@state()
def unloads_modules(value: Any, logits: Any) -> Any:
    """Half of ``sys.modules`` is gone."""
    for name in [each for each in sys.modules if each.startswith(("conformance", "json", "re", "email"))]:
        del sys.modules[name]
    return value


@state(process="fail")
def raises_for_rounding(value: Any, logits: Any) -> Any:
    """NumPy raises for underflow and invalid values."""
    np.seterr(all="raise")
    return value


@state()
def turns_warnings_into_errors(value: Any, logits: Any) -> Any:
    """A filter that raises every warning."""
    warnings.simplefilter("error")
    return value


@kind()
def floods_with_warnings(value: Any, logits: Any) -> Any:
    """Ten thousand different warnings, with escapes."""
    for number in range(10_000):
        warnings.warn(f"\x1b[31m::error::{number}", stacklevel=1)
    return value


@state()
def counts_differently(value: Any, logits: Any) -> Any:
    """Decimal precision, locale, random state, print options."""
    decimal.getcontext().prec = 1
    locale.setlocale(locale.LC_ALL, "C")
    random.seed(0)
    np.random.seed(0)
    np.set_printoptions(precision=1)
    return value


@kind(group="alone", process="fail")
def rounds_upwards(value: Any, logits: Any) -> Any:
    """The processor's rounding mode is another."""
    ctypes.CDLL("libm.so.6").fesetround(0x800)
    return value


@kind(group="alone", process="fail")
def forbids_files(value: Any, logits: Any) -> Any:
    """A limit of no further open files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    return value


@kind(group="alone", process="fail")
def forbids_processes(value: Any, logits: Any) -> Any:
    """A limit of no further processes, and none of large files."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return value


@kind(group="alone")
def hardly_recurses(value: Any, logits: Any) -> Any:
    """Python's limit of recursion is low."""
    depth, frame = 0, sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(depth + 40)
    return value


@state()
def collects_no_garbage(value: Any, logits: Any) -> Any:
    """The collector is off, and frozen."""
    gc.disable()
    gc.freeze()
    return value


@kind(group="alone")
def traces_every_line(value: Any, logits: Any) -> Any:
    """A trace function that raises, and a profiler."""

    def trace(*_: Any) -> Any:
        raise RuntimeError("traced")

    threading.settrace(trace)
    sys.setprofile(lambda *_: None)
    return value


@kind(group="alone")
def leaves_hooks(value: Any, logits: Any) -> Any:
    """Hooks of the interpreter raise."""
    sys.excepthook = sys.unraisablehook = threading.excepthook = None  # type: ignore[assignment]
    sys.displayhook = None  # type: ignore[assignment]
    return value


@state(process="fail")
def leaves_threads(value: Any, logits: Any) -> Any:
    """A hundred threads that outlive the call, not daemons."""
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(3600,)).start()
    return value


@state(process="fail")
def leaves_descriptors(value: Any, logits: Any) -> Any:
    """Hundreds of open pipes."""
    for _ in range(300):
        os.pipe()
    return value


@state()
def leaves_at_exit(value: Any, logits: Any) -> Any:
    """Something that hangs at the interpreter's end."""
    atexit.register(time.sleep, 3600)
    return value


@state()
def sleeps_in_children(value: Any, logits: Any) -> Any:
    """A forked child that sleeps, and holds every descriptor."""
    if os.fork() == 0:
        time.sleep(3600)
        os._exit(0)
    return value


@state()
def sends_a_child_away(value: Any, logits: Any) -> Any:
    """A daemon: in a session of its own, adopted, with nothing in its environment."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            code = "import time; time.sleep(3600)"
            os.execve(sys.executable, [sys.executable, "-c", code, TOKEN], {})
        os._exit(0)
    return value


@state()
def shares_memory(value: Any, logits: Any) -> Any:
    """A segment of shared memory that is closed, and unlinked."""
    segment = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    segment.close()
    segment.unlink()
    return value


@state()
def leaves_a_semaphore(value: Any, logits: Any) -> Any:
    """A semaphore with a name, which no descriptor is open of: as a pool of processes has them."""
    HELD.append(_multiprocessing.SemLock(0, 1, 1, f"/conformance-{TOKEN}-{os.getpid()}-{len(HELD)}", False))
    time.sleep(0.5)  # two looks at least
    return value


@state()
def leaves_shared_memory(value: Any, logits: Any) -> Any:
    """A segment of shared memory that is neither closed nor unlinked."""
    os.open(f"/dev/shm/conformance-{TOKEN}", os.O_CREAT | os.O_RDWR)
    return value


@state(process="fail")
def counts_its_own_time(value: Any, logits: Any) -> Any:
    """A signal that is to end the process after some time of the processor's."""
    signal.setitimer(signal.ITIMER_PROF, 3600)
    signal.setitimer(signal.ITIMER_VIRTUAL, 3600)
    return value


@state(process="fail")
def has_a_timer_of_the_system(value: Any, logits: Any) -> Any:
    """A timer that is not one of Python's three."""
    libc, timer, real_time = ctypes.CDLL(None), ctypes.c_void_p(), 0
    assert libc.timer_create(real_time, None, ctypes.byref(timer)) == 0
    an_hour = (ctypes.c_long * 4)(0, 0, 3600, 0)
    assert libc.timer_settime(timer, 0, an_hour, None) == 0
    return value


@state(process="fail")
def has_little_time_left(value: Any, logits: Any) -> Any:
    """A limit on processor time, which later calls will meet."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 600, resource.RLIM_INFINITY))
    return value


@kind(group="alone", process="fail")
def writes_no_files(value: Any, logits: Any) -> Any:
    """A limit of no bytes in a file, whose signal ends the process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    return value


@state()
def leaves_a_watchdog(value: Any, logits: Any) -> Any:
    """One of ``faulthandler``'s, which is to end the process a moment later."""
    faulthandler.dump_traceback_later(0.5, exit=True)
    return value


@state()
def has_a_brother(value: Any, logits: Any) -> Any:
    """A child that is none of its own, but of its parent's."""
    clone, sibling = 56, 0x8000
    if platform.machine() == "x86_64" and ctypes.CDLL(None).syscall(clone, sibling | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        time.sleep(3600)
        os._exit(0)
    return value


@state()
def breeds(value: Any, logits: Any) -> Any:
    """A child that is another one every few milliseconds."""
    if os.fork() == 0:
        os.setsid()
        last = time.monotonic() + 60
        while time.monotonic() < last and os.fork() == 0:
            time.sleep(0.005)
        os._exit(0)
    return value


@state()
def asks_to_be_traced(value: Any, logits: Any) -> Any:
    """Its parent is notified of each of its signals, and has to let it go on."""
    ctypes.CDLL(None).ptrace(0, 0, 0, 0)
    return value


@kind(group="alone")
def holds_the_lock_of_imports(value: Any, logits: Any) -> Any:
    """A thread that does not give it back."""

    def hold() -> None:
        imp.acquire_lock()
        time.sleep(3600)

    imp = __import__("_imp")
    threading.Thread(target=hold, daemon=True).start()
    return value


@kind(group="alone")
def runs_last(value: Any, logits: Any) -> Any:
    """The lowest priority, on one core, threads that hardly give way to each other."""
    os.nice(19)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    sys.setswitchinterval(1000)
    return value


@kind(group="alone")
def cannot_be_looked_at(value: Any, logits: Any) -> Any:
    """Not to be dumped, and not to end with its parent."""
    prctl, death_signal, dumpable = ctypes.CDLL(None).prctl, 1, 4
    prctl(death_signal, 0)
    prctl(dumpable, 0)
    return value


@kind(group="alone", process="fail")
def says_much_of_itself(value: Any, logits: Any) -> Any:
    """Settings without end from then on."""
    Faulty.settings = lambda _: {str(n): "x" * 100 for n in range(100_000)}  # type: ignore[method-assign]
    return value

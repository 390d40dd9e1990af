"""The executor Dask where a worker, the scheduler or the run is lost: the outcomes are the same, or it is said."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from conformance.cases.load import Entry
from conformance.model.errors import HarnessError
from conformance.run.executors.dask.connect import Fleet
from conformance.run.executors.dask.executor import DaskExecutor, _Work
from tests.support.fleet import TERMS, Conducted, Workers, after_first, environment, offered, scheduler, until

pytestmark = pytest.mark.slow


def without_first(workers: Workers, entries: Sequence[Entry], number: int) -> list[bytes]:
    """What comes of a run whose first worker gets a signal once it has done something, and another is started."""
    notes: list[str] = []

    def lose() -> None:
        workers.start("second", "numpy")
        os.kill(workers.works("first"), number)

    executor = after_first(DaskExecutor(TERMS, Fleet(workers.address)), lose)
    found = Conducted(["numpy"], entries, executor, notes.append)
    assert any("first is lost" in each for each in notes)
    return found.compared


def test_workers_that_are_killed_or_late_lose_nothing(
    workers: Workers, entries: Sequence[Entry], inline: list[bytes]
) -> None:
    threading.Timer(1.0, workers.start, ("first", "numpy")).start()  # when the run has begun
    assert without_first(workers, entries, signal.SIGKILL) == inline


def test_a_worker_that_is_killed_before_its_answer_is_fetched_is_not_waited_for(
    workers: Workers, entries: Sequence[Entry], inline: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched, killed = _Work._answers, list[int]()

    def kills_first(work: _Work, futures: Collection[Any]) -> dict[Any, Any]:
        if not killed and any(future in work._out for future in futures):
            killed.append(workers.works("first"))
            os.kill(killed[0], signal.SIGKILL)
            workers.start("second", "numpy")
        return fetched(work, futures)

    monkeypatch.setattr(_Work, "_answers", kills_first)
    workers.start("first", "numpy")
    found = Conducted(["numpy"], entries, DaskExecutor(TERMS, Fleet(workers.address)))
    assert killed and found.compared == inline


def test_a_scheduler_that_is_lost_ends_the_run_with_an_error(
    tmp_path: Path, entries: Sequence[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.run.executors.dask.connect.CONNECT", 10.0)  # and within which it must come back
    with scheduler(tmp_path) as (address, ends):
        workers = Workers(address, tmp_path)
        workers.start("one", "numpy")
        try:
            with pytest.raises(HarnessError, match="the scheduler is lost; complete the run with --resume"):
                Conducted(["numpy"], entries, after_first(DaskExecutor(TERMS, Fleet(address)), ends.kill))
        finally:
            workers.end()


#: It sends a signal to the Dask worker that it is below, which judges it.
SIGNALS = """
import os
import signal
from pathlib import Path
from conformance.backends.numpy import Numpy


def above(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Signals(Numpy):
    def softmax(self, logits, *, axis):
        if logits.flat[0] == 2:
            pid = os.getpid()
            while "spawn_main" not in Path(f"/proc/{pid}/cmdline").read_text():
                pid = above(pid)
            os.kill(pid, signal.@)
        return super().softmax(logits, axis=axis)
"""


@pytest.mark.parametrize("losses", [0, pytest.param(None, marks=pytest.mark.nightly)])  # None: as it is
def test_a_backend_that_kills_its_worker_is_given_up_alone_and_one_that_stops_it_is_not(
    tmp_path: Path, entries: Sequence[Entry], monkeypatch: pytest.MonkeyPatch, losses: int | None
) -> None:
    if losses is not None:
        monkeypatch.setattr("conformance.run.executors.losses.LOSSES", losses)
    for name, number in (("kills", "SIGKILL"), ("stops", "SIGSTOP")):
        (tmp_path / f"{name}.py").write_text(SIGNALS.replace("@", number))
    executor = DaskExecutor(TERMS, Fleet(), workers=1)
    specs = [str(tmp_path / "kills.py"), "numpy", str(tmp_path / "stops.py")]
    conducted = Conducted(specs, entries[:4], executor)
    failed = conducted.conductor.failed
    assert failed.keys() == {"kills"} and "ended between the cases case-0 and case-3: SIGKILL" in failed["kills"]
    assert all(conducted.conductor.counts[name].keys() == {"pass"} for name in ("numpy", "stops"))


def test_where_the_last_worker_was_lost_is_said(tmp_path: Path, workers: Workers, entries: Sequence[Entry]) -> None:
    ends = SIGNALS.replace("@", "SIGKILL").replace("os.kill(", "os.kill(above(pid), signal.SIGKILL), os.kill(")
    (tmp_path / "ends.py").write_text(ends)  # with what watches it
    workers.start("only", "numpy")
    until(lambda: "numpy" in offered(workers.address))
    executor = DaskExecutor(TERMS, Fleet(workers.address, patience=2.0))
    failed = Conducted([str(tmp_path / "ends.py")], entries[:4], executor).conductor.failed
    since = "since one was lost between the cases case-0 and case-3"
    assert f"no worker with anything has come within 2 s {since}" in failed["ends"]


@pytest.mark.nightly
def test_a_worker_without_a_sign_of_life_is_lost(
    workers: Workers, entries: Sequence[Entry], inline: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.run.executors.dask.members.SILENT", 8)
    # As others start one: none has it go on where it is stopped.
    command = [sys.executable, "-m", "distributed.cli.dask_worker", workers.address, "--nthreads", "1",
               "--name", "first", "--resources", "numpy=1", "--host", "127.0.0.1", "--no-dashboard"]  # fmt: skip
    quiet = environment(PYTHONWARNINGS="ignore")
    workers.processes["first"] = subprocess.Popen(command, env=quiet, cwd=workers.folder, stderr=subprocess.DEVNULL)
    assert without_first(workers, entries, signal.SIGSTOP) == inline


#: A call that never comes back, in a process that says its id.
HOLDS = """
import os
from pathlib import Path
from conformance.backends.numpy import Numpy


class Holds(Numpy):
    def softmax(self, logits, *, axis):
        Path(os.environ["SHOWN"]).write_text(str(os.getpid()))
        while True:
            pass
"""


@pytest.mark.parametrize("who", ["a run", "a worker"])
def test_nothing_outlives_what_is_killed(
    tmp_path: Path, address: str, entries: Sequence[Entry], monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    (tmp_path / "holds.py").write_text(HOLDS)
    temporary, shown = tmp_path / "temporary", tmp_path / "shown.txt"
    temporary.mkdir()
    holds = environment(TMPDIR=str(temporary), SHOWN=str(shown))
    verb = [sys.executable, "-m", "conformance"]
    run = [*verb, "run", "-b", str(tmp_path / "holds.py"), "--cases", str(entries[0].file), "--output", "out"]
    on_fleet = [*run, "--scheduler", address]
    with contextlib.ExitStack() as stack:

        def start(command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(command, env=variables, cwd=tmp_path, **quiet)  # type: ignore[call-overload]
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process  # type: ignore[no-any-return]

        if who == "a run":
            killed = start([*run, "--executor", "dask", "--jobs", "2"], holds)
        else:
            killed = start([*verb, "worker", "--scheduler", address, "-b", "numpy"], holds)
            start(on_fleet, environment(TMPDIR=str(tmp_path)))
        until(lambda: shown.is_file() and shown.read_text() != "")
        below = psutil.Process(killed.pid).children(recursive=True)
        assert int(shown.read_text()) in [each.pid for each in below] and list(temporary.iterdir())
        killed.kill()
        killed.wait()
        until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in below))
        until(lambda: not list(temporary.iterdir()))

"""The executor Dask: the outcomes of the inline one, whatever becomes of workers; it listens on this machine alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from conformance.cases.load import Entry, load_suite
from conformance.model.backend import BackendRecord
from conformance.model.errors import HarnessError, UsageError
from conformance.model.records import WorkerRecord
from conformance.places import ROOT
from conformance.results.store import read_run
from conformance.run.executors.dask.connect import Fleet
from conformance.run.executors.dask.executor import DaskExecutor, _Work
from conformance.run.executors.dask.resources import needs
from conformance.run.executors.inline import InlineExecutor
from conformance.worker.find import find_backends
from tests.support.cli import DIES_AT_SEVEN, TAKES_CTRL_C, process, write
from tests.support.fleet import (
    OTHER_VERSION,
    TERMS,
    Conducted,
    Workers,
    after_first,
    environment,
    offered,
    scheduler,
    until,
)

pytestmark = pytest.mark.slow
DTYPES = ("float32", "float16")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with scheduler(tmp_path_factory.mktemp("scheduler")) as (found, _):
        yield found


@pytest.fixture
def workers(address: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(address, tmp_path)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six of them, and less time for their answers."""
    monkeypatch.setattr("conformance.run.plan.MOST", 0.1)
    monkeypatch.setattr("conformance.run.executors.dask.executor.FETCH", 3.0)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Entry]:
    dtypes = ", ".join(DTYPES)
    case = f"- {{{{id: case-{{n}}, why: w, op: softmax, logits: [[{{n}}, 1.5]], dtypes: [{dtypes}]}}}}\n"
    file = tmp_path_factory.mktemp("cases") / "cases.yaml"
    file.write_text("theme: numbered\ncases:\n" + "".join(case.format(n=n) for n in range(96)))
    return load_suite([file]).entries


@pytest.fixture(scope="module")
def inline(entries: Sequence[Entry]) -> list[bytes]:
    return Conducted(["numpy"], entries, InlineExecutor(TERMS)).compared


def test_an_embedded_cluster_gives_the_same_and_listens_on_loopback_alone(
    tmp_path: Path, entries: Sequence[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "wrong.py").write_text(DIES_AT_SEVEN)
    specs = ("numpy", str(tmp_path / "wrong.py"))
    listening: set[str] = set()
    before = set(psutil.Process().children(recursive=True))

    def listen() -> None:
        for each in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            listening.update(at.laddr.ip for at in each.net_connections() if at.status == psutil.CONN_LISTEN)

    found = Conducted(specs, entries, after_first(DaskExecutor(TERMS, Fleet(), workers=2), listen))
    expected = Conducted(specs, entries, InlineExecutor(TERMS))
    assert found.compared == expected.compared
    assert found.conductor.counts == expected.conductor.counts
    assert found.conductor.counts["wrong"]["crash"] and found.conductor.counts["wrong"]["fail"]
    assert listening == {"127.0.0.1"}
    recorded = {each.name: each for each in found.records if isinstance(each, WorkerRecord)}
    assert recorded.keys() == found.workers <= {"0", "1"}
    assert all(each.environment["cores"] and each.versions["numpy"] for each in recorded.values())
    left = set(psutil.Process().children(recursive=True)) - before
    assert not [each for each in left if "resource_tracker" not in " ".join(each.cmdline())]


def test_a_task_takes_the_resources_of_its_backend_and_its_device(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(DIES_AT_SEVEN)
    specs = ("numpy", "torch", "torch:cuda:compile", str(tmp_path / "mine.py"), f"{tmp_path}/mine.py:cuda")
    found = [needs(find_backends((spec,), elsewhere=("torch",))[0]) for spec in specs]
    assert found == [{"numpy": 1}, {"torch": 1}, {"torch": 1, "cuda": 1}, {}, {"cuda": 1}]


def test_workers_that_are_killed_or_late_lose_nothing(
    workers: Workers, entries: Sequence[Entry], inline: list[bytes]
) -> None:
    notes: list[str] = []
    threading.Timer(1.0, workers.start, ("first", "numpy")).start()  # when the run has begun

    def lose() -> None:
        workers.start("second", "numpy")
        os.kill(workers.works("first"), signal.SIGKILL)

    executor = after_first(DaskExecutor(TERMS, Fleet(workers.address)), lose)
    found = Conducted(["numpy"], entries, executor, notes.append)
    assert found.compared == inline
    assert any("first is lost" in each for each in notes)


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


def test_a_worker_of_another_version_is_not_used(
    tmp_path: Path, workers: Workers, entries: Sequence[Entry], inline: list[bytes]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(OTHER_VERSION)
    workers.start("old", "numpy", PYTHONPATH=f"{tmp_path}:{ROOT}")
    until(lambda: "numpy" in offered(workers.address))
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        workers.start("new", "numpy")

    found = Conducted(["numpy"], entries, DaskExecutor(TERMS, Fleet(workers.address)), note)
    assert found.compared == inline and found.workers == {"new"}
    assert ["old is not used: it has version 0.0.1 of the suite" in each for each in notes] == [True]


def test_the_verb_worker_finds_its_backends_and_works_until_ctrl_c(address: str, tmp_path: Path) -> None:
    write(tmp_path / "cases.yaml")
    verb = [sys.executable, "-m", "conformance"]
    command = [*verb, "worker", "--scheduler", address, "-b", "numpy", "--name", "found"]
    run_of = partial(process, "run", "--scheduler", address, "--cases", "cases.yaml", folder=tmp_path)
    with (
        ThreadPoolExecutor(1) as pool,
        subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as worker,
    ):
        try:
            named = pool.submit(run_of, "-b", "numpy", "--output", "named")  # which waits for the worker
            until(lambda: "numpy" in offered(address))
            assert run_of("--output", "out").code == 0  # with what the workers have
            assert named.result().code == 0, named.result().err
        finally:
            worker.send_signal(signal.SIGINT)
            said = worker.communicate()[1]
    assert worker.returncode == 0 and f"offers numpy to {address}" in said
    run = read_run(tmp_path / "out")
    assert {each.worker for each in run.outcomes} == run.workers.keys() == {"found"}
    assert run.workers["found"].resources == ["numpy"] and run.backends.keys() == {"numpy"}


def test_a_backend_that_no_worker_has_is_given_up(workers: Workers, entries: Sequence[Entry]) -> None:
    workers.start("only", "numpy")
    until(lambda: "numpy" in offered(workers.address))
    found = Conducted(["numpy", "jax"], entries, DaskExecutor(TERMS, Fleet(workers.address, patience=4.0)))
    assert "no worker with jax has come within 4 s" in found.conductor.failed["jax"]
    assert found.conductor.counts["numpy"]["pass"]


def test_a_scheduler_that_is_not_there_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.run.executors.dask.connect.CONNECT", 0.5)
    for asked in (Fleet("tcp://127.0.0.1:9").backends, DaskExecutor(TERMS, Fleet("tcp://127.0.0.1:9")).prepare):
        with pytest.raises(UsageError, match="no scheduler answers at tcp://127.0.0.1:9"):
            asked()


SLOW = """
import time
from conformance.backends.numpy import Numpy


class Slow(Numpy):
    def softmax(self, logits, *, axis):
        time.sleep(0.01)
        return super().softmax(logits, axis=axis)
"""


def test_ctrl_c_ends_all_and_what_is_left_is_resumed(tmp_path: Path, entries: Sequence[Entry]) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    verb = ["run", "--executor", "dask", "--jobs", "1", "--no-site"]
    first = [*verb, "-b", "slow.py", "--cases", str(entries[0].file), "--output", "out", "--no-identities"]
    file = tmp_path / "out" / "outcomes.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", TAKES_CTRL_C, *first], cwd=tmp_path, env=environment(TMPDIR=str(tmp_path)),
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as interrupted:  # fmt: skip
        until(lambda: file.is_file() and b'"outcome"' in file.read_bytes())
        os.killpg(interrupted.pid, signal.SIGINT)  # as a terminal does: to all
        said = interrupted.communicate()[1]
    assert interrupted.returncode == 130 and "interrupted" in said and "Traceback" not in said
    assert b'"footer"' not in file.read_bytes()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(("conformance-", "dask-"))]
    done = process(*verb, "--resume", "out", "-b", "slow.py", folder=tmp_path)
    assert done.code == 0, done.err
    run = read_run(tmp_path / "out")
    counted = Counter(each.unit for each in run.outcomes)
    assert counted.keys() == {("slow", entry.case.id, dtype, "contiguous") for entry in entries for dtype in DTYPES}
    assert len({(unit[2], count) for unit, count in counted.items()}) == len(DTYPES)  # none is there twice
    assert run.footer is not None and sum(run.footer.counts.values()) == counted.total()


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
    notes: list[str] = []

    def stop() -> None:
        workers.start("second", "numpy")
        os.kill(workers.works("first"), signal.SIGSTOP)

    executor = after_first(DaskExecutor(TERMS, Fleet(workers.address)), stop)
    found = Conducted(["numpy"], entries, executor, notes.append)
    assert found.compared == inline
    assert any("first is lost" in each for each in notes)


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


#: Imported by a worker's process, and by its backend's, before all else: NumPy takes itself for another version.
OTHER_NUMPY = """
import importlib.metadata as metadata
version = metadata.version
metadata.version = lambda name: "9.9.9" if name == "numpy" else version(name)
"""


def test_a_worker_with_another_version_of_a_backend_than_the_first_is_not_used_for_it(
    tmp_path: Path, workers: Workers, entries: Sequence[Entry], inline: list[bytes]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(OTHER_NUMPY)
    workers.start("first", "numpy")
    notes: list[str] = []

    def replace() -> None:
        workers.processes["first"].terminate()
        workers.start("other", "numpy", PYTHONPATH=f"{tmp_path}:{ROOT}")

    def note(text: str) -> None:
        notes.append(text)
        if "other is not used" in text:
            workers.start("same", "numpy")

    executor = after_first(DaskExecutor(TERMS, Fleet(workers.address)), replace)
    found = Conducted(["numpy"], entries, executor, note)
    assert found.compared == inline and found.workers == {"first", "same"}
    here = metadata.version("numpy")
    assert [each for each in notes if "not used" in each] == [
        f"worker other is not used for numpy: numpy 9.9.9, not {here}"
    ]
    recorded = {each.name: each for each in found.records if isinstance(each, WorkerRecord)}
    assert recorded.keys() == found.workers
    for each in recorded.values():
        assert each.versions["numpy"] == here and each.environment["cores"] and each.resources == ["numpy"]
    (backend,) = [each for each in found.records if isinstance(each, BackendRecord)]
    assert backend.versions["numpy"] == here

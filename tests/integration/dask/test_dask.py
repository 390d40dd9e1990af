"""The executor Dask: the outcomes of the inline one, by the workers that fit; it listens on this machine alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.records import WorkerRecord
from conformance.places import ROOT
from conformance.results.store import read_run
from conformance.run.executors.dask.connect import Fleet
from conformance.run.executors.dask.executor import DaskExecutor
from conformance.run.executors.dask.resources import needs
from conformance.worker.find import find_backends
from tests.support.cli import DIES_AT_SEVEN, TAKES_CTRL_C, process, write
from tests.support.fleet import OTHER_VERSION, TERMS, Conducted, Workers, after_first, environment, offered, until
from tests.support.inline import InlineExecutor

pytestmark = pytest.mark.slow


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
    done = process(*verb, "--resume", "out", "-b", "slow.py", "--cases", entries[0].file, folder=tmp_path)
    assert done.code == 0, done.err
    run = read_run(tmp_path / "out")
    dtypes = entries[0].case.dtypes
    counted = Counter(each.unit for each in run.outcomes)
    assert counted.keys() == {("slow", entry.case.id, dtype, "contiguous") for entry in entries for dtype in dtypes}
    assert len({(unit[2], count) for unit, count in counted.items()}) == len(dtypes)  # none is there twice
    assert run.footer is not None and sum(run.footer.counts.values()) == counted.total()


#: Imported by a worker's process, and by its backend's, before all else: NumPy takes itself for another version.
OTHER_NUMPY = """
import importlib.metadata as metadata
version = metadata.version
metadata.version = lambda name: "9.9.9" if name == "numpy" else version(name)
"""


@pytest.mark.nightly
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

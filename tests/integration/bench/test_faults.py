"""Faults of adapters: each is put on record by its kind, and what comes after it is timed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ONE_WORKLOAD = "workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n"


def run(bench: Any, name: str, *more: object, replicates: int = 1, code: int = 3) -> dict[str, Any]:
    words = ("--workloads", bench.workloads(), "--replicates", replicates, "--seed", 3, *more)
    assert bench("-b", bench.faulty(name), *words) == code
    return bench.document


@pytest.mark.parametrize(
    ("name", "status", "message", "code"),
    [
        ("Raises", "error", "ValueError: no \x1b[31m|<b> (at tests/support/bench/faulty.py:", 0),
        ("Hangs", "timeout", "no answer within 1", 3),
        ("Crashes", "crash", "SIGSEGV", 3),
    ],
)
def test_a_fault_in_one_workload(bench: Any, name: str, status: str, message: str, code: int) -> None:
    document = run(bench, name, "--timeout", 1.5, replicates=2, code=code)
    (refused,) = document["not_timed"]  # and not tried again in the second replicate
    assert (refused["workload"], refused["status"], refused["replicate"]) == ("two", status, 0)
    assert message in refused["message"]
    timed = [(each["extra_info"]["workload"], each["extra_info"]["replicate"]) for each in document["benchmarks"]]
    assert sorted(timed) == [("three", 0), ("three", 0), ("three", 1), ("three", 1)]
    assert status in bench.out and "\x1b" not in bench.out + bench.err
    assert (f"faulty:{name}: a process of it" in bench.err) is bool(code)
    if name == "Crashes":
        assert 'File "tests/support/bench/faulty.py", line' in refused["message"]
        assert not re.search(r"pluggy|_pytest|Extension modules|bench/session|File \"/", refused["message"])
        assert r"\n" not in bench.out


def test_a_process_that_exceeds_its_limits_is_ended(bench: Any) -> None:
    names = ("Drips", "Repeats", "Pours", "Fills")
    backends = [part for name in names for part in ("-b", bench.faulty(name))]
    limits = ("--timeout", 2, "--memory-limit", 0.5)
    assert bench(*backends, *limits, "--workloads", bench.workloads(ONE_WORKLOAD), "--replicates", 1) == 3
    refused = {each["backend"]: (each["status"], each["message"]) for each in bench.document["not_timed"]}
    status, message = refused["faulty:Drips"]
    assert status == "timeout" and "no answer within 2 s" in message
    for name in ("Repeats", "Pours"):
        status, message = refused[f"faulty:{name}"]
        assert status == "crash" and "the backend's process wrote to the pipe of the harness" in message
    status, message = refused["faulty:Fills"]
    assert status == "crash" and "GiB of memory: the limit is 0.50" in message


def test_a_process_that_dies_when_its_work_is_done(bench: Any) -> None:
    words = ("--workloads", bench.workloads(ONE_WORKLOAD), "--replicates", 1)
    assert bench("-b", bench.faulty("DiesLast"), *words) == 3
    assert len(bench.document["benchmarks"]) == 1 and bench.document["not_timed"] == []
    assert "faulty:DiesLast: after its last entry: SIGABRT: the backend's process ended" in bench.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Leaves", "the backend's process ended before its work was done"),
        ("Unstartable", "cannot be started: RuntimeError: no licence"),
    ],
)
def test_a_backend_that_cannot_be_had(bench: Any, name: str, message: str) -> None:
    document = run(bench, name)
    assert document["benchmarks"] == [] and {each["status"] for each in document["not_timed"]} == {"error"}
    assert all(message in each["message"] for each in document["not_timed"]) and len(document["not_timed"]) == 3
    assert bench.path.exists()


def test_a_file_that_is_broken_is_named_with_its_line(bench: Any) -> None:
    file = bench.folder / "broken.py"
    file.write_text("x = 1\ndef softmax(\n")
    assert bench("-b", file, "--workloads", bench.workloads(), "--replicates", 1) == 3
    assert "broken: " in bench.err and "SyntaxError" in bench.err and f"hint: correct {file}:2\n" in bench.err


class Shared:
    """One run of several faulty backends, none of which stops it."""

    def __init__(self, bench: Any, *names: str) -> None:
        backends = [part for name in names for part in ("-b", bench.faulty(name))]
        assert bench(*backends, "--workloads", bench.workloads(), "--replicates", 1, "--seed", 3) == 3  # DiesUnread
        self.out, self.document = bench.out, bench.document

    def timed(self, name: str) -> list[dict[str, Any]]:
        infos = [each["extra_info"] for each in self.document["benchmarks"]]
        return [each for each in infos if each["backend"] == f"faulty:{name}"]

    def refused(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.document["not_timed"] if each["backend"] == f"faulty:{name}"]


@pytest.fixture(scope="module")
def shared(shared_bench: Any) -> Shared:
    return Shared(shared_bench, "Refuses", "Wrong", "Overwrites", "Nothing", "Numbers", "DiesUnread")


def test_an_unsupported_contract(shared: Shared) -> None:
    assert [(each["contract"], each["status"]) for each in shared.refused("Refuses")] == [
        ("forward+grad", "unsupported")
    ]
    assert "there is no gradient here" in shared.out


def test_a_wrong_result_is_timed_and_marked(shared: Shared) -> None:
    judged = [each["accuracy"] for each in shared.timed("Wrong")]
    assert len(judged) == 3 and {(each["verdict"], each["class"]) for each in judged} == {("fail", "F")}
    assert "Wrong: class F: fail (declares B)" in shared.out
    assert not re.search(r"^ *faulty:(Wrong|Overwrites) +\d+ ", shared.out, re.MULTILINE)  # no rank


def test_a_result_that_is_kept_from_an_earlier_call_has_no_rank(bench: Any) -> None:
    large = "workloads:\n  - {id: large, why: beyond the caches, shape: [2048, 4096], contracts: [forward]}\n"
    arguments = ("--workloads", bench.workloads(large), "--replicates", 1)
    assert bench("-b", bench.faulty("Keeps"), "-b", "numpy", *arguments) == 0
    assert re.search(r"^ *numpy +1 ", bench.out, re.MULTILINE)
    assert "not ranked: faulty:Keeps: " in bench.out and "the result was kept from an earlier call" in bench.out


def test_a_failure_without_a_rank_says_why(shared: Shared) -> None:
    assert "not ranked: faulty:Overwrites: class A: fail (declares B), the calls change the logits" in shared.out


def test_without_a_result_nothing_is_accurate(shared: Shared) -> None:
    judged = [each["accuracy"] for each in shared.timed("Nothing")]
    assert judged and all(
        each["verdict"] == "error" and "as an array of numbers: object" in each["message"] for each in judged
    )


def test_a_backend_may_describe_itself_in_numbers(shared: Shared) -> None:
    infos = shared.timed("Numbers")
    assert len(infos) == 3 and all(
        each["settings"] == {"threads": str(each["threads"]), "fast": "True"} for each in infos
    )
    assert {each["version"] for each in infos} == {"3"}
    assert {each["accuracy"]["verdict"] for each in infos} == {"pass"}


def test_a_result_that_cannot_be_read_differs_from_one_that_was_not_asked_for(shared: Shared) -> None:
    judged = [each["accuracy"] for each in shared.timed("DiesUnread")]
    assert len(judged) == 3 and shared.refused("DiesUnread") == []
    assert all(each["verdict"] == "error" and "SIGKILL" in each["message"] for each in judged)


def test_a_kernel_that_writes_to_its_inputs_fails(shared: Shared) -> None:
    found = [each["accuracy"] for each in shared.timed("Overwrites") if each["accuracy"]["quantity"] == "value"]
    assert found and all(
        (each["class"], each["verdict"], each["message"]) == ("A", "fail", "the calls change the logits")
        for each in found
    )


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.nightly) for each in (signal.SIGTERM, signal.SIGHUP))],
)
def test_an_interrupt_leaves_a_valid_file(bench: Any, number: int) -> None:
    process, rest = hanging(bench, number)
    assert process.returncode == 130 and "interrupted: what is done is in" in rest
    assert bench.document["conformance"]["interrupted"] and bench.document["benchmarks"]
    assert not [*bench.folder.glob("conformance-*")]


def test_no_timed_process_outlives_its_driver(bench: Any) -> None:
    process, _ = hanging(bench, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    for _ in range(300):
        if not any(f"{bench.folder}/conformance-" in line for line in commands()):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("it goes on")
    assert not [*bench.folder.glob("conformance-*")]


def commands() -> list[str]:
    """The command lines of all processes."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_text(errors="replace").replace("\0", " "))
    return found


def hanging(bench: Any, number: int) -> tuple[subprocess.Popen[str], str]:
    """A run that hangs in its second entry and was sent a signal there, and its output after that."""
    arguments = ["-b", bench.faulty("Hangs"), "--workloads", str(bench.workloads()), "--replicates", "1", "--seed", "0"]
    # A shell has its background jobs ignore Ctrl-C, and their children with them.
    hearing = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        "runpy.run_module('conformance', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", hearing, "bench", *arguments, "--output", str(bench.folder / "out")]
    where = os.environ | {"TMPDIR": str(bench.folder)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=where)
    assert process.stderr is not None
    line = ""
    while "1/3" not in line:  # the first entry is through; a later one hangs
        line = process.stderr.readline()
        assert line
    time.sleep(0.1)
    os.kill(process.pid, number)
    _, rest = process.communicate(timeout=120)
    return process, rest

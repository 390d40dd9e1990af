"""Faults of adapters: each is put on record by its kind, and what comes after it is timed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest


def run(bench: Any, name: str, *more: object, replicates: int = 1) -> dict[str, Any]:
    bench("-b", bench.faulty(name), "--workloads", bench.workloads(), "--replicates", replicates, "--seed", 3, *more)
    return bench.document


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("Raises", "error", "ValueError: no \x1b[31m|<b> (at tests/bench/faulty.py:"),
        ("Hangs", "timeout", "no answer within 1"),
        ("Crashes", "crash", "SIGSEGV"),
    ],
)
def test_a_fault_in_one_workload(bench: Any, name: str, status: str, message: str) -> None:
    document = run(bench, name, "--timeout", 1.5, replicates=2)
    (refused,) = document["not_timed"]  # and not tried again in the second replicate
    assert (refused["workload"], refused["status"], refused["replicate"]) == ("two", status, 0)
    assert message in refused["message"]
    timed = [(each["extra_info"]["workload"], each["extra_info"]["replicate"]) for each in document["benchmarks"]]
    assert sorted(timed) == [("three", 0), ("three", 0), ("three", 1), ("three", 1)]
    assert status in bench.out and "\x1b" not in bench.out + bench.err


@pytest.mark.parametrize(
    ("name", "message"),
    [("Leaves", "it ended before its work was done"), ("Unstartable", "cannot be started: RuntimeError: no licence")],
)
def test_a_backend_that_cannot_be_had(bench: Any, name: str, message: str) -> None:
    document = run(bench, name)
    assert document["benchmarks"] == [] and {each["status"] for each in document["not_timed"]} == {"error"}
    assert all(message in each["message"] for each in document["not_timed"]) and len(document["not_timed"]) == 3
    assert bench.path.exists()


def test_no_time_at_all_is_exit_code_3(bench: Any) -> None:
    assert bench("-b", bench.faulty("Unstartable"), "--workloads", bench.workloads(), "--replicates", 1) == 3


def test_an_unsupported_contract(bench: Any) -> None:
    document = run(bench, "Refuses")
    assert [(each["contract"], each["status"]) for each in document["not_timed"]] == [("forward+grad", "unsupported")]
    assert "there is no gradient here" in bench.out


def test_a_wrong_result_is_timed_and_marked(bench: Any) -> None:
    document = run(bench, "Wrong")
    found = {each["extra_info"]["accuracy"]["verdict"] for each in document["benchmarks"]}
    assert found == {"fail"} and "Wrong: class F: fail (declares B)" in bench.out
    assert not re.search(r"^ *1 ", bench.out, re.MULTILINE)  # no rank
    assert all(each["extra_info"]["accuracy"]["class"] == "F" for each in document["benchmarks"])


def test_no_result_is_no_accuracy(bench: Any) -> None:
    document = run(bench, "Nothing")
    judged = [each["extra_info"]["accuracy"] for each in document["benchmarks"]]
    assert judged and all(
        each["verdict"] == "error" and "as an array of numbers: object" in each["message"] for each in judged
    )


def test_an_interrupt_leaves_a_valid_file(bench: Any) -> None:
    arguments = ["-b", bench.faulty("Hangs"), "--workloads", str(bench.workloads()), "--replicates", "1", "--seed", "0"]
    # A shell has its background jobs ignore Ctrl-C, and their children with them.
    hearing = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('conformance', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", hearing, "bench", *arguments, "--output", str(bench.folder / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    told = ""
    while "1/3" not in told:  # the first entry is through; a later one hangs
        told = process.stderr.readline()
        assert told
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted: what is done is in" in rest
    assert bench.document["conformance"]["interrupted"] and bench.document["benchmarks"]

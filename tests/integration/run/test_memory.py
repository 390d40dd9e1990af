"""The memory that a run takes, as its record and its reports have it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance.results.store import read_run
from tests.support.cli import Run, process, write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory processes share")

#: Bytes, of which each page is written to.
HELD = 200 << 20
#: A process with a child that holds them until it is asked to end.
CHILD = f"held = b'x' * {HELD}; print(len(held), flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
#: Looks before they hold it, while they do and afterwards; alone, for a worker of the tests has processes of its own.
LOOKS = f"""
import subprocess, sys
from conformance.run.memory import MemoryWatch

with MemoryWatch() as watch:
    before = watch.peak
    with subprocess.Popen(
        [sys.executable, "-c", {PARENT!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert int(process.stdout.readline()) == {HELD}
        watch.look()
        during = watch.peak
        process.communicate(b"\\n")
    watch.look()
print(before, during, watch.peak)
"""


def test_processes_of_processes_count(tmp_path: Path) -> None:
    ran = process(folder=tmp_path, program=("-c", LOOKS))
    assert ran.code == 0, ran.err
    before, during, after = map(int, ran.out.split())
    assert HELD < during - before < 2 * HELD
    assert during <= after < during + HELD


def test_the_peak_is_on_record_and_in_the_reports(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "small.yaml")
    ran = conformance("run", "-b", "numpy", "--cases", "small.yaml", "--output", "run", "-q", "--site")
    assert ran.code == 0, ran.err
    footer = read_run("run").footer
    assert footer is not None and footer.memory is not None and footer.memory > 10 << 20
    shown = f"{footer.memory / 2**30:.2f} GiB"
    assert f"peak memory of all processes: {shown}" in Path("run/summary.md").read_text(encoding="utf-8")
    assert f"peak memory of all processes {shown}" in Path("run/site/runs.html").read_text(encoding="utf-8")

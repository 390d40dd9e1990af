"""What a backend leaves behind: processes, files and memory, whoever dies first."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conformance.places import ROOT
from conformance.worker.exchange import Observation, Request
from conformance.worker.limits import Limits
from conformance.worker.session import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a child of a child is found on Linux alone"),
]

#: Each call starts a child of a child, in a session of its own and with an empty environment, and writes a file.
LEAVES = """
import os, subprocess, sys, tempfile, time
from conformance.backends.numpy import Numpy

SLEEPS = "import os, time; os.setsid(); os.fork() and os._exit(0); {shown}; time.sleep(600)"


class Leaves(Numpy):
    def softmax(self, logits, *, axis):
        shown = f"open({{os.environ['SHOWN']!r}}, 'a').write(str(os.getpid()) + chr(10))"
        subprocess.run([sys.executable, "-c", SLEEPS.replace("{shown}", shown)], env={})
        while not (os.path.exists(os.environ["SHOWN"]) and os.path.getsize(os.environ["SHOWN"])):
            time.sleep(0.01)  # it has begun by then
        tempfile.mkstemp()
        {then}
        return super().softmax(logits, axis=axis)
"""
BALLOONS = """
import numpy as np
from conformance.backends.numpy import Numpy


class Balloons(Numpy):
    def softmax(self, logits, *, axis):
        if logits.flat[0] == 1:
            self.kept = [np.ones(1 << 24) for _ in range(64)]  # 8 GiB, which nobody has time for
        return super().softmax(logits, axis=axis)
"""


ENDS = """
import os
from conformance.backends.numpy import Numpy


class Ends(Numpy):
    def softmax(self, logits, *, axis):
        os.kill(os.getpid(), {number})
        return super().softmax(logits, axis=axis)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("SHOWN", str(tmp_path / "shown.txt"))
    return folder


def leaving(folder: Path, then: str = "pass") -> Path:
    file = folder / "leaves.py"
    file.write_text(LEAVES.replace("{then}", then).replace("{{", "{").replace("}}", "}"))
    return file


def shown(folder: Path) -> list[int]:
    file = folder / "shown.txt"
    return list(map(int, file.read_text().split())) if file.exists() else []


def require_soon(condition: Callable[[], object]) -> None:
    last = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.02)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def ask(backend: Path, *firsts: float, limits: Limits | None = None) -> list[Observation]:
    sent = [Request(n, "softmax", np.array([[first, 2.0]]), {}, (("axis", 1),)) for n, first in enumerate(firsts)]
    with Session(str(backend), limits=limits) as session:
        return session.run(sent)


def test_nothing_that_a_backend_starts_or_writes_outlives_it(tmp_path: Path, temporary: Path) -> None:
    assert [each.failure for each in ask(leaving(tmp_path), 0.0)] == [None]
    (pid,) = shown(tmp_path)
    assert ended(pid) and not list(temporary.iterdir())


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_ends_a_backend_though_the_run_was_started_without_it(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "ends.py"
    file.write_text(ENDS.format(number=int(number)))
    before, blocked = signal.signal(number, signal.SIG_IGN), signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        (found,) = ask(file, 0.0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(number, before)
    assert found.failure is not None and found.failure.type == number.name


@pytest.mark.parametrize(
    ("jobs", "signals"),
    [("1", [signal.SIGKILL]), ("2", [signal.SIGKILL]), ("1", [signal.SIGTERM]), ("2", 2 * [signal.SIGTERM])],
    ids=["one job, killed", "two jobs, killed", "one job, ended", "two jobs, ended twice"],
)
def test_nothing_outlives_a_run(tmp_path: Path, temporary: Path, jobs: str, signals: list[int]) -> None:
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32]}}\n"
    (tmp_path / "cases.yaml").write_text("theme: n\ncases:\n" + "".join(case.format(n=n) for n in range(200)))
    holds = leaving(tmp_path, then="exec('while True: pass')")  # a call that never comes back
    command = [sys.executable, "-m", "conformance", "run", "-b", str(holds), "--cases", "cases.yaml", "--jobs", jobs]
    with subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    ) as run:
        try:
            require_soon(lambda: len(shown(tmp_path)) == int(jobs))
            for number in signals:  # `timeout` sends two: to the process, and to its group
                run.send_signal(number)
            assert run.wait(300) == (-signal.SIGKILL if signal.SIGKILL in signals else 130)
        finally:
            run.kill()
    if signal.SIGKILL not in signals:  # it has waited for all
        assert all(map(ended, shown(tmp_path))) and not list(temporary.iterdir())
    require_soon(lambda: all(map(ended, shown(tmp_path))))
    require_soon(lambda: not list(temporary.iterdir()))
    require_soon(lambda: not naming(tmp_path))


def test_temporary_files_go_with_a_run_that_has_started_no_backend(tmp_path: Path, temporary: Path) -> None:
    code = (
        "import os\nfrom conformance.scratch import scratch\n"
        "with scratch() as folder:\n    (folder / 'file').touch()\n    os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert ran.returncode == -signal.SIGKILL
    require_soon(lambda: not list(temporary.iterdir()))


def naming(folder: Path) -> list[str]:
    """The processes whose command names a folder."""
    found = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and os.fsencode(folder) in (each / "cmdline").read_bytes():
                found.append(each.name)
    return found


def test_a_backend_that_takes_too_much_memory_is_ended(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "balloons.py").write_text(BALLOONS)
    limits = Limits(memory=400 << 20)
    before, culprit, behind = ask(tmp_path / "balloons.py", 0.0, 1.0, 2.0, limits=limits)
    assert before.failure is None and behind.failure is None and culprit.failure is not None
    assert (culprit.failure.kind, culprit.failure.type) == ("crash", "MemoryLimit")
    assert "the limit is 0.39" in culprit.failure.message


def test_a_result_is_not_larger_than_its_logits_justify(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "large.py").write_text(
        "import numpy as np\nfrom conformance.backends.numpy import Numpy\n\n\nclass Large(Numpy):\n"
        "    def softmax(self, logits, *, axis):\n        return np.zeros((4096, 4096), np.float32)\n"
    )
    (seen,) = ask(tmp_path / "large.py", 0.0)
    assert seen.failure is not None and seen.failure.kind == "adapter" and "67108864 bytes" in seen.failure.message


def test_an_answer_is_not_read_beyond_what_its_call_justifies(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "forges.py").write_text(
        "import os, struct, sys\nfrom conformance.backends.numpy import Numpy\n\n\nclass Forges(Numpy):\n"
        "    def softmax(self, logits, *, axis):\n"
        "        answers = int(sys.argv[2])\n        os.write(answers, struct.pack('<Q', 1 << 30))\n"
        "        while True:\n            os.write(answers, bytes(1 << 16))\n"
    )
    (seen,) = ask(tmp_path / "forges.py", 0.0)
    assert seen.failure is not None and (seen.failure.kind, seen.failure.type) == ("crash", "ForgedAnswer")


IN_MEMORY = """
import os
import numpy as np
from conformance.backends.numpy import Numpy


class InMemory(Numpy):
    def softmax(self, logits, *, axis):
        self.file = os.{make}
        for _ in range({pieces}):
            os.write(self.file, bytes(1 << 25))
        return super().softmax(logits, axis=axis)
"""


@pytest.mark.parametrize("make", ["memfd_create('x')", "open({!r}, os.O_CREAT | os.O_RDWR)"], ids=["nameless", "named"])
def test_files_in_memory_count(tmp_path: Path, make: str) -> None:
    shared = Path(f"/dev/shm/conformance-{tmp_path.name}-{os.getpid()}")
    file = tmp_path / "in_memory.py"
    file.write_text(IN_MEMORY.format(make=make.format(str(shared)), pieces=10_000))
    (seen,) = ask(file, 1.0, limits=Limits(memory=400 << 20))
    assert seen.failure is not None and seen.failure.type == "MemoryLimit" and not shared.exists()


def test_shared_memory_that_is_left_is_removed_and_that_of_others_is_not(tmp_path: Path) -> None:
    name = f"/dev/shm/conformance-{tmp_path.name}-{os.getpid()}"
    others, left = Path(f"{name}-others"), Path(f"{name}-left")
    others.touch()
    try:
        for each in (others, left):
            file = tmp_path / "in_memory.py"
            file.write_text(IN_MEMORY.format(make=f"open({str(each)!r}, os.O_CREAT | os.O_RDWR)", pieces=0))
            assert ask(file, 1.0)[0].failure is None
        assert others.exists() and not left.exists()
    finally:
        others.unlink()

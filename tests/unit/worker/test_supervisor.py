"""A supervised process: sent to, listened to, timed, and ended with all that it has started."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

import pytest

from conformance.model.errors import HarnessError
from conformance.worker.supervisor import Gone, Silent, Supervised, reason_of

PRELUDE = "import os, subprocess, sys, time; source, sink = map(int, sys.argv[1:3]);"


def supervised(code: str, folder: Path) -> Supervised:
    return Supervised([sys.executable, "-c", PRELUDE + code], folder=folder)


def test_what_is_sent_comes_back(tmp_path: Path) -> None:
    process = supervised("os.write(sink, os.read(source, 100).upper() + str(os.getpid()).encode())", tmp_path / "own")
    process.send(b"words ", 10)
    assert process.receive(10) == b"WORDS " + str(process.pid).encode()
    with pytest.raises(Gone) as end:
        process.receive(10)
    assert end.value.code == 0 and not process.running
    process.close()
    process.close()
    assert (tmp_path / "own").exists()  # who has given it removes it


def test_a_process_that_says_nothing(tmp_path: Path) -> None:
    process = supervised("time.sleep(600)", tmp_path)
    begin = time.monotonic()
    with pytest.raises(Silent):
        process.receive(0.3)
    assert 0.3 <= time.monotonic() - begin < 5 and process.running
    process.close()
    assert not process.running


def test_a_time_that_is_over_is_over_whatever_has_come(tmp_path: Path) -> None:
    process = supervised("[os.write(sink, bytes(65536)) for _ in iter(int, 1)]", tmp_path)
    assert process.receive(30)
    with pytest.raises(Silent):
        process.receive(-0.1)
    process.close()


def test_a_process_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    process = supervised("time.sleep(600)", tmp_path)
    with pytest.raises(Silent):
        process.send(bytes(1 << 20), 0.3)
    process.close()


def test_a_process_that_ends_while_a_grandchild_holds_the_pipe(tmp_path: Path) -> None:
    process = supervised(
        "subprocess.Popen(['sleep', '600'], pass_fds=(sink,)); print('words', flush=True); os._exit(3)",
        tmp_path,
    )
    with pytest.raises(Gone) as end:
        process.receive(30)
    assert end.value.code == 3 and process.tail() == "words"
    process.close()


def test_a_process_that_had_ended_before_anything_was_asked_of_it(tmp_path: Path) -> None:
    process = supervised("os._exit(3)", tmp_path)
    while process.running:
        time.sleep(0.01)
    with pytest.raises(Gone) as end:
        process.receive(30)
    assert end.value.code == 3
    process.close()


@pytest.mark.parametrize("end", ["source", "sink"])
def test_a_process_that_goes_on_without_its_pipe_is_ended(end: str, tmp_path: Path) -> None:
    process = supervised(f"os.close({end}); time.sleep(600)", tmp_path)
    with pytest.raises(Gone) as gone:
        while True:
            process.send(b".", 30) if end == "source" else process.receive(30)
    assert gone.value.type == "ClosedPipe" and not process.running  # and nobody has waited for it to end by itself
    process.close()


def test_a_process_that_was_killed_has_not_closed_its_pipe(tmp_path: Path) -> None:
    process = supervised("held = bytes(1 << 27); os.kill(os.getpid(), 9)", tmp_path)
    with pytest.raises(Gone) as gone:
        process.receive(30)
    assert (gone.value.code, gone.value.type) == (-9, reason_of(-9))
    process.close()


def test_what_left_its_session_is_ended_too(tmp_path: Path) -> None:
    process = supervised(
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True); os.write(sink, str(child.pid).encode());"
        "time.sleep(600)",
        tmp_path,
    )
    child = int(process.receive(10))
    process.close()
    for _ in range(50):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the grandchild is still there")


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    code = "[print(n) for n in range(100)]; sys.stdout.flush(); os.write(sink, b'.'); time.sleep(600)"
    process = supervised(code, tmp_path)
    process.receive(10)
    assert process.tail(3) == "97\n98\n99"
    process.close()


def test_reasons() -> None:
    assert (reason_of(3), reason_of(-11), reason_of(-9)) == (
        "exit code 3",
        "SIGSEGV",
        "SIGKILL (perhaps out of memory)",
    )


def test_no_process_can_be_had(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no process for /no/such/program"):
        Supervised(["/no/such/program"], folder=tmp_path)


def test_no_descriptors_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, pipe = [], os.pipe

    def one_pipe() -> tuple[int, int]:
        if made:
            raise OSError(errno.EMFILE, "Too many open files")
        made.append(pipe())
        return made[0]

    before = sorted(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "pipe", one_pipe)
    with pytest.raises(HarnessError, match="no pipes for a process: Too many open files"):
        supervised("", tmp_path)
    assert sorted(os.listdir("/proc/self/fd")) == before

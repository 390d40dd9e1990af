"""The folder of a run: links, locks, and whoever else has a hand in it."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from conformance.model.errors import HarnessError, UsageError
from conformance.model.records import (
    encode_record,
)
from conformance.results.store import FILE, Writer, discard, read_run
from tests.support.run_files import HEADER, finished, unit


@pytest.mark.parametrize("name", [FILE, ".lock"])
@pytest.mark.parametrize("resuming", [True, False])
def test_nothing_is_written_where_a_link_leads(tmp_path: Path, name: str, resuming: bool) -> None:
    (tmp_path / "other").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "other")
    with pytest.raises((UsageError, HarnessError)):
        Writer(tmp_path / "run", HEADER, resuming=resuming)
    assert (tmp_path / "other").read_text() == "mine"
    discard(tmp_path / "run") if name == FILE else (tmp_path / "run" / name).unlink()
    Writer(tmp_path / "run", HEADER).close()
    assert (tmp_path / "other").read_text() == "mine"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(UsageError, match="not a file"):
        Writer(tmp_path, HEADER)


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_a_lock_that_is_not_a_file_has_a_way_on(tmp_path: Path, what: str) -> None:
    lock = tmp_path / ".lock"
    {"link": lambda: lock.symlink_to("x"), "pipe": lambda: os.mkfifo(lock), "folder": lock.mkdir}[what]()
    with pytest.raises(UsageError, match=r"\.lock (is not a file|cannot be opened: .*)\n  hint: .*remove it"):
        Writer(tmp_path, HEADER)
    assert os.path.lexists(lock)


def test_a_lock_that_is_removed_while_another_waits_is_not_held_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run opens the lock file of one that ends and removes it, and has then locked what nobody else can find."""
    first = Writer(tmp_path, HEADER)
    lock = fcntl.flock

    def late(file: int, operation: int) -> None:
        monkeypatch.undo()
        first.close()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with Writer(tmp_path, HEADER, resuming=True), pytest.raises(UsageError, match="another run is writing"):
        Writer(tmp_path, HEADER, resuming=True)
    assert not (tmp_path / ".lock").exists()


def test_a_folder_that_is_removed_meanwhile_is_said_so(tmp_path: Path) -> None:
    with Writer(tmp_path / "run", HEADER) as writer:
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(HarnessError, match="removed or replaced while the run was writing it\n  hint: "):
            writer.write(unit("a"))


def test_each_state_of_a_folder_has_a_way_on(tmp_path: Path) -> None:
    finished(tmp_path / "done", "a")
    with pytest.raises(UsageError, match="conformance report"):
        Writer(tmp_path / "done", HEADER, resuming=True)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / FILE).write_bytes(encode_record(HEADER)[:10])
    with pytest.raises(UsageError, match="run again with --replace"):
        read_run(tmp_path / "begun")

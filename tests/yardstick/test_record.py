"""A measurement of the kill matrix goes on from the last one: what is new or has changed is asked, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance.cases.load import load_suite
from conformance.model.errors import UsageError
from tests.support.case_files import write
from tests.yardstick.__main__ import main
from tests.yardstick.record import Record
from tests.yardstick.registry import CASES, wrong_backends
from tests.yardstick.trial import Kill

BACKENDS = """\
from tests.yardstick.kernel import Kernel

SHIFT = 1.0


def moved(result):
    return result + SHIFT


class Moved(Kernel):
    'All is moved.'

    def softmax(self, logits, *, axis):
        return moved(super().softmax(logits, axis=axis))


class Doubled(Kernel):
    'All is doubled.'

    def softmax(self, logits, *, axis):
        return 2 * super().softmax(logits, axis=axis)
"""
SUITE = """\
theme: small
cases:
  - {id: one, why: w, op: softmax, logits: [1, 2, 3]}
  - {id: two, why: w, op: softmax, logits: [1, 4]}
  - {id: three, why: w, op: softmax, logits: [1, 3]}
  - {id: four, why: w, op: softmax, logits: [3, 3]}
"""


class Folder:
    """The record of a test; every version of the cases and of the backends lies in a folder of its own."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.patch, self.capsys = path, patch, capsys
        self.record = path / "record.json.gz"
        self.versions = 0

    def measured(self, backends: str = BACKENDS, suite: str = SUITE) -> str:
        """How many cases of wrong backends were asked, as the command says it."""
        self.versions += 1
        version = self.path / str(self.versions)
        version.mkdir()
        (version / "planted_for_the_record.py").write_text(backends, encoding="utf-8")
        self.patch.setenv(CASES, str(write(version, suite)))
        sys.modules.pop("planted_for_the_record", None)
        file = str(version / "planted_for_the_record.py")
        assert main(["matrix", "--wrong", file, "--record", str(self.record), "--jobs", "1"]) == 0
        said = self.capsys.readouterr().out
        assert "mutation score: 2 of 2" in said
        return said.partition("asked: ")[2].partition(" cases")[0]

    def opened(self) -> Record:
        """The record, for the last version."""
        version = self.path / str(self.versions)
        kinds = wrong_backends(version / "planted_for_the_record.py")
        return Record(self.record, kinds, load_suite([next(version.glob("*.yaml"))]).entries)

    def killed(self, name: str) -> set[str]:
        """The cases on record that killed a wrong backend of the last version."""
        return {kill.case for kill in self.opened().kills[f"planted_for_the_record.{name}"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, monkeypatch, capsys)


def test_what_is_new_or_has_changed_is_asked_and_nothing_else(folder: Folder) -> None:
    assert folder.measured() == "8"
    assert folder.measured() == "0"
    assert folder.measured(suite=SUITE.replace("[1, 4]", "[1, 5]")) == "2"
    assert folder.measured(suite=SUITE.replace("why: w", "why: another")) == "2"  # what is asked is as at first
    assert folder.measured(BACKENDS.replace("All is", "# Everything is")) == "0"
    assert folder.measured(BACKENDS.replace("2 * super", "3 * super")) == "4"
    assert folder.measured(BACKENDS.replace("SHIFT = 1.0", "SHIFT = 2.0")) == "8"  # of both, what they refer to


def test_the_kills_of_a_case_that_is_removed_go(folder: Folder) -> None:
    folder.measured()
    assert folder.killed("Moved") == {"one", "two", "three", "four"}
    without = SUITE.replace("  - {id: two, why: w, op: softmax, logits: [1, 4]}\n", "")
    assert folder.measured(suite=without) == "0"
    assert folder.killed("Moved") == folder.killed("Doubled") == {"one", "three", "four"}


def test_the_kills_of_a_later_depth_do_not_say_that_an_earlier_one_was_asked(folder: Folder) -> None:
    folder.measured()
    moved, doubled = "planted_for_the_record.Moved", "planted_for_the_record.Doubled"
    cases = sorted(folder.killed("Moved"))
    folder.record.unlink()
    record = folder.opened()
    record.rewrite()
    record.add("usual", {moved: [], doubled: [Kill("one", "float32", "value")]}, cases)
    record.add("identities", {moved: [Kill("one", "float32", "shift")]}, cases)
    record.rewrite()
    record = folder.opened()
    assert record.kills_until("others", moved) == [] and len(record.kills_until("identities", moved)) == 1
    assert folder.measured() == "4"  # Moved, in calls that are repeated; Doubled was killed before
    found = folder.opened()
    assert found.kills_until("usual", moved) == []
    assert {kill.case for kill in found.kills_until("repeated", moved)} == {*cases}
    assert Kill("one", "float32", "shift") in found.kills[moved]


def test_of_a_measurement_that_was_interrupted_the_finished_shares_are_kept(folder: Folder) -> None:
    folder.measured()
    whole = folder.record.read_bytes()
    folder.record.unlink()
    record = folder.opened()
    record.rewrite()
    record.add("usual", {"planted_for_the_record.Moved": []}, ["one", "three"])
    record.add("usual", {"planted_for_the_record.Doubled": []}, ["one"])
    folder.record.write_bytes(folder.record.read_bytes()[:-40])  # which ends in the midst of the second
    assert [*folder.opened().asked("usual", "planted_for_the_record.Doubled")] == []
    assert {*folder.opened().asked("usual", "planted_for_the_record.Moved")} == {"one", "three"}
    folder.record.write_bytes(whole + b"no kills")
    with pytest.raises(UsageError, match="not a record of kills"):
        folder.opened()

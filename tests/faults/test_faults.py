"""A kind of fault shows as itself and touches nothing else; a run that is killed goes on as if it had not been.

Some of each sort; ``tox run -e faults``, which the nightly runs, has all of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.places import ROOT
from tests.faults import backend  # noqa: F401  # it fills the table
from tests.faults.kills import killed_runs
from tests.faults.table import KINDS, Kind
from tests.faults.trial import Trial, trial, trial_of_wholes
from tests.faults.whole import WHOLE

pytestmark = pytest.mark.slow


def of(group: str, *names: str) -> list[Kind]:
    """The kinds of a group, or those of the ``names``, each of which there must be."""
    found = [each for each in KINDS if each.group == group and (not names or each.name in names)]
    assert found and {*names} <= {each.name for each in found}, (group, names)
    return found


def require_sound(found: Trial) -> None:
    assert not found.problems, f"{found.problems}\n{found.printed}"


#: Of the kinds that end the process: by signals, by codes, below Python, with others, by what they do to the harness.
ENDS = (
    "killed by SIGKILL", "leaves with success", "reads the null pointer", "kills its group", "prints and dies",
    "makes its log a pipe", "kills its guard", "forges an answer", "answers twice", "closes every descriptor",
    "closes the pipe of calls", "removes the folder of all",
)  # fmt: skip
#: Of the backends that are wrong as a whole: while they start, in what they say, in what they give, at their end.
WRONG = (
    "CrashesWhileStarting", "HangsWhileStarting", "RaisesWhileStarting", "ForgesWhileStarting", "ForksWhileStarting",
    "HasNoVersions", "CannotMakeATensor", "OverwritesItsResults", "HangsAtItsEnd", "DiesAtEveryCall",
    "DiesBehindItsBack", "DiesByAGrandchild", "StartsOnce",
)  # fmt: skip


def test_kinds_that_leave_the_process_alive(tmp_path: Path) -> None:
    require_sound(trial(of("alive"), tmp_path))


def test_kinds_that_change_the_process(tmp_path: Path) -> None:
    """Every second one: each that is to blame for what it has changed takes a process of its own."""
    require_sound(trial(of("state")[::2], tmp_path))


def test_kinds_that_take_memory(tmp_path: Path) -> None:
    require_sound(trial(of("memory", "balloons", "asks for more than there is"), tmp_path))


def test_kinds_that_end_the_process(tmp_path: Path) -> None:
    require_sound(trial(of("deaths", *ENDS), tmp_path))


def test_kinds_that_do_not_come_back(tmp_path: Path) -> None:
    require_sound(trial(of("hangs", "sleeps below python", "half an answer"), tmp_path))


@pytest.mark.parametrize(
    "name", ["deletes its temporary files", "rounds upwards", "replaces all of builtins", "replaces all of os"]
)
def test_kinds_that_change_what_the_next_calls_meet(name: str, tmp_path: Path) -> None:
    require_sound(trial(of("alone", name), tmp_path))


@pytest.mark.parametrize(
    "name",
    ["the first case crashes", "raises an error that sticks", "replaces a function of numpy", "fills a cache"],
)
def test_kinds_that_make_the_next_calls_go_wrong(name: str, tmp_path: Path) -> None:
    require_sound(trial(of("later", name), tmp_path))


def test_backends_that_are_wrong_whatever_they_are_asked(tmp_path: Path) -> None:
    """In one run those that end it alike."""
    asked = [each for each in WHOLE if each.name in WRONG]
    assert len(asked) == len(WRONG)
    for number, alike in enumerate({(each.exit_code, each.options) for each in asked}):
        wholes = [each for each in asked if (each.exit_code, each.options) == alike]
        require_sound(trial_of_wholes(wholes, tmp_path / str(number)))


def test_runs_that_are_ended_by_signals(tmp_path: Path) -> None:
    assert killed_runs(tmp_path, kills=2, terms=2, cases=60, seed=3).problems == []


def test_the_document_counts_the_kinds_of_which_each_has_its_line() -> None:
    names = [each.name for each in KINDS] + [each.name for each in WHOLE]
    assert len(set(names)) == len(names) and all(each.what for each in (*KINDS, *WHOLE))
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    table = text[text.index("each of") :].partition("\n## ")[0]
    assert f"each of {len(names)} kinds" in table
    assert sum(map(int, re.findall(r"\| (\d+) \|$", table, re.MULTILINE))) == len(names)

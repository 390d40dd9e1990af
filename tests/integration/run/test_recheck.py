"""What a call leaves behind that hurts others is put on its case; what others owe to it is not theirs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.load import load_suite
from conformance.model.records import Footer, Header
from conformance.results.store import Writer, read_run
from conformance.run.judged import Judged, open_backend
from conformance.run.plan import Portion
from conformance.worker.limits import Limits
from tests.integration.run.test_deaths import run

pytestmark = pytest.mark.slow

#: Case 5 arms what the calls of all other cases then do.
BACKEND = """
import ctypes, itertools, os, time
from pathlib import Path
from conformance.backends.numpy import Numpy

COUNT = itertools.count(1)


class Leaves(Numpy):
    armed = late = False

    def softmax(self, logits, *, axis):
        first, value = logits.flat[0], super().softmax(logits, axis=axis)
        if first == 5:
            Leaves.armed = True
        elif Leaves.armed:
            {then}
        {always}
        return value
"""
ALONE = ("--jobs", "1", "--no-identities")
RAISES = "raise RuntimeError('it sticks')"


def backend(folder: Path, then: str = "pass", always: str = "pass") -> Path:
    file = folder / "leaves.py"
    file.write_text(BACKEND.format(then=then, always=always))
    return file


def wrong(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in outcomes if each["verdict"] != "pass"]


@pytest.mark.parametrize("then", ["ctypes.string_at(1)", RAISES, "value = value * 2"], ids=["dies", "raises", "wrong"])
def test_the_call_that_left_it_behind_is_to_blame_and_no_other(tmp_path: Path, then: str) -> None:
    code, outcomes, shown = run(tmp_path, backend(tmp_path, then), options=ALONE)
    (culprit,) = wrong(outcomes)
    assert (culprit["case"], culprit["check"], culprit["verdict"]) == ("case-5", "process", "fail")
    assert culprit["reason"] == "left-damage" and "(float32, contiguous)" in culprit["detail"]
    assert code == 1 and {each["case"] for each in outcomes} == {f"case-{n}" for n in range(8)}
    assert "goes wrong after this call" in " ".join(shown.split())


def test_a_call_that_fails_itself_and_leaves_its_error_behind_is_to_blame(tmp_path: Path) -> None:
    code, outcomes, _ = run(tmp_path, backend(tmp_path, RAISES, f"if first == 5: {RAISES}"), options=ALONE)
    assert code == 1 and {(each["case"], each["check"]) for each in wrong(outcomes)} == {
        ("case-5", "value"), ("case-5", "process")
    }  # fmt: skip


CASE = "- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32], reductions: [none]}}\n"


def judged_in_parts(folder: Path, file: Path, limits: Limits | None = None) -> list[Judged]:
    """What comes of 64 cases, sixteen by sixteen."""
    (folder / "many.yaml").write_text("theme: n\ncases:\n" + "".join(CASE.format(n=n) for n in range(64)))
    entries = load_suite([folder / "many.yaml"]).entries
    with open_backend(str(file), limits=limits) as opened:
        return [opened.judge(Portion(n, tuple(entries[16 * n : 16 * n + 16]), identities=False)) for n in range(4)]


def test_it_may_be_a_call_of_an_earlier_task(tmp_path: Path) -> None:
    first, _, third, last = judged_in_parts(tmp_path, backend(tmp_path, f"if first == 40: {RAISES}"))
    (culprit,) = third.others
    assert (culprit.case, culprit.reason, culprit.verdict) == ("case-5", "left-damage", "fail")
    assert "case-40" in culprit.detail and {each.verdict for each in third.own} == {"pass"} and not last.others
    with Writer(tmp_path / "run", Header(suite="1", started="2026-01-01T00:00:00+00:00")) as writer:
        writer.write(first.outcomes)
        writer.write(third.outcomes)
        writer.finish(Footer(seconds=1.0, complete=True))
    found = read_run(tmp_path / "run")
    assert not found.repeated and found.counts["fail"] == 1 and found.counts["pass"] == len([*found.outcomes]) - 1


def test_what_does_not_come_again_and_is_owed_to_no_single_call_is_a_verdict(tmp_path: Path) -> None:
    code, outcomes, shown = run(
        tmp_path, backend(tmp_path, always="if next(COUNT) == 7: value = value * 2"), options=ALONE
    )
    (lost,) = wrong(outcomes)
    assert (lost["check"], lost["verdict"], lost["reason"]) == ("process", "unreproduced", "not-again") and code == 1
    assert lost["detail"] == "value" and "and not in a fresh process" in " ".join(shown.split())


COUNTED = "with Path(__file__).with_suffix('.calls').open('a') as calls: calls.write(f'{os.getpid()}\\n')"


def calls_by_process(file: Path) -> list[int]:
    """How many calls each process was given, the one with most first."""
    return [count for _, count in Counter(file.with_suffix(".calls").read_text().split()).most_common()]


@pytest.mark.parametrize("what", [RAISES, "value = value * (1 + next(COUNT))"], ids=["raises", "never the same"])
def test_many_failures_of_its_own_cost_one_process_and_few_calls(tmp_path: Path, what: str) -> None:
    file = backend(tmp_path, always=f"{COUNTED}\n        if first % 2: {what}")
    bad = {each.case for part in judged_in_parts(tmp_path, file) for each in part.outcomes if each.verdict != "pass"}
    assert bad == {f"case-{n}" for n in range(1, 64, 2)}
    first, second = calls_by_process(file)
    assert second < first / 2


def test_damage_shows_where_calls_go_wrong_by_themselves_too(tmp_path: Path) -> None:
    always = "if first % 4 == 2 or Leaves.late: value = value * 2\n        Leaves.late |= first == 40"
    parts = judged_in_parts(tmp_path, backend(tmp_path, always=always))
    wrong = {(each.case, each.check) for part in parts for each in part.outcomes if each.verdict != "pass"}
    assert ("case-40", "process") in wrong
    assert {case for case, _ in wrong} == {f"case-{n}" for n in range(2, 64, 4)} | {"case-40"}


def test_hangs_of_its_own_are_waited_for_once_more(tmp_path: Path) -> None:
    file = backend(tmp_path, always=f"if first in (7, 39):\n            {COUNTED}\n            time.sleep(3600)")
    parts = judged_in_parts(tmp_path, file, Limits(call=2.0))
    assert {each.case for part in parts for each in part.outcomes if each.verdict == "timeout"} == {
        "case-7", "case-39"
    }  # fmt: skip
    assert sum(calls_by_process(file)) == 2 * 2 + 1  # each in a batch, then alone; and one of them again

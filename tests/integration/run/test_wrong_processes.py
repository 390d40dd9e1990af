"""Nothing that a process answers excuses what went wrong in it: a kernel may be wrong in one process alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.load import load_suite
from conformance.model.outcome import Outcome
from conformance.run.judged import open_backend
from conformance.run.plan import Portion

pytestmark = pytest.mark.slow

#: All losses are ``factor`` times what they are, the canary's too; of a bad label comes what ``of_bad`` does.
BACKEND = """
import os
from pathlib import Path
from conformance.backends.adapters.numpy import Numpy

MARK = Path(__file__).with_suffix(".mark")
FIRST = not MARK.exists()


class Wrong(Numpy):
    calls = spoilt = 0

    def cross_entropy(self, logits, targets, **options):
        MARK.touch()
        Wrong.calls += 1
        if FIRST and targets[0] > 1:
            {of_bad}
        value = super().cross_entropy(logits, targets, **options)
        return (value * {factor}).astype(value.dtype)
"""
SHARED = "op: cross_entropy, axis: 1, dtypes: [float32], layouts: [contiguous], reductions: [none]"
CASE = "- {{id: case-{n}, why: w, {shared}, logits: [[0.{n}, 1.5]], targets: [0]}}\n"
BAD = f"- {{id: bad, why: w, {SHARED}, logits: [[1.0, 1.5]], targets: [5], expect: {{error: bad label}}}}\n"


def lost(folder: Path, cases: str, factor: str = "1", of_bad: str = "pass") -> list[Outcome]:
    """The outcomes of the cases that do not pass."""
    (folder / "wrong.py").write_text(BACKEND.format(factor=factor, of_bad=of_bad))
    (folder / "cases.yaml").write_text(f"theme: n\ncases:\n{cases}")
    entries = tuple(load_suite([folder / "cases.yaml"]).entries)
    with open_backend(str(folder / "wrong.py")) as opened:
        found = opened.judge(Portion(0, entries, identities=False)).outcomes
    return [each for each in found if each.verdict != "pass"]


@pytest.mark.parametrize("wrong", ["FIRST", "Wrong.calls > 60"], ids=["the first process", "after sixty calls"])
def test_what_is_wrong_in_one_process_alone_is_not_excused(tmp_path: Path, wrong: str) -> None:
    cases = "".join(CASE.format(n=n, shared=SHARED) for n in range(24))
    found = lost(tmp_path, cases, f"(0 if {wrong} else 1)")
    again = {each.case for each in found if (each.verdict, each.reason) == ("unreproduced", "not-again")}
    assert again and (wrong != "FIRST" or len(again) == len(found) == 24)


def test_nor_what_is_wrong_of_a_call_that_is_made_apart(tmp_path: Path) -> None:
    (found,) = lost(tmp_path, BAD, "(0 if FIRST else 1)", "return logits[:, 0]")
    assert (found.check, found.verdict, found.reason) == ("error", "fail", "no-error")


def test_nor_the_end_of_a_process_by_such_a_call_that_does_not_come_again(tmp_path: Path) -> None:
    (found,) = lost(tmp_path, BAD, of_bad="os._exit(3)")
    assert (found.check, found.verdict) == ("process", "unreproduced") and "exit code 3" in str(found.error)

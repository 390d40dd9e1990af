"""A sample of what ``tox run -e fuzz-parsers`` does at length; and the frame itself finds what it is to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.drive import by_number, by_time, made
from tests.fuzz.targets import TARGETS, Target

#: As many as take a second or two.
COUNTS = {"case-files": 300, "profiles": 100, "workloads": 200, "results": 40, "benchmarks": 30, "history": 15}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TARGETS])
def test_no_file_leads_to_a_traceback(name: str) -> None:
    figures = by_number(TARGETS[name], COUNTS[name])
    assert not figures.failures and figures.count == COUNTS[name], figures.failures


def test_the_same_number_is_the_same_file() -> None:
    assert made(TARGETS["workloads"], 1, 2) == made(TARGETS["workloads"], 1, 2) != made(TARGETS["workloads"], 1, 3)


def _divides(data: bytes, folder: Path) -> None:
    """A parser with a defect: a number that is replaced by zero divides."""
    numbers = [float(each) for each in data.split() if each.isdigit() and len(each) < 300]
    sum(1 / number for number in numbers)


def test_a_defect_is_found_by_number_and_shrunk_by_hypothesis() -> None:
    target = Target("divides", lambda: [b"1 2 3 4"], _divides)
    (failure, *_) = by_number(target, 500).failures
    assert failure.startswith("number ") and "ZeroDivisionError" in failure
    (shrunk,) = by_time(target, 60.0).failures
    assert "ZeroDivisionError" in shrunk and shrunk.count("Edit(") == 1

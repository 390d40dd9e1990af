"""``conformance run --quick``: the selected cases in the selected dtypes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.quick import load_quick
from conformance.places import QUICK
from conformance.results.store import read_run
from tests.support.cli import Run


@pytest.mark.slow
def test_quick_runs_the_selected_cases_in_their_dtypes(conformance: Run, tmp_path: Path) -> None:
    few = {"float16", "float64"}
    options = [word for dtype in sorted(few) for word in ("--dtype", dtype)]
    ran = conformance("run", "-b", "numpy", "--quick", *options, "--output", str(tmp_path / "run"), "-q")
    assert ran.code == 0, ran.err
    run = read_run(tmp_path / "run")
    assert run.header.selection["quick"] and not run.header.selection["identities"]
    chosen = {case: asked for case, dtypes in load_quick(QUICK).quick.items() if (asked := few & {*dtypes})}
    seen: dict[str, set[str]] = {}
    for outcome in run.outcomes:
        seen.setdefault(outcome.case, set()).add(outcome.dtype)
    assert seen == chosen


def test_a_resumed_run_keeps_its_own_selection(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("run", "-b", "numpy", "--quick", "-k", "nll", "--output", str(tmp_path / "run"), "-q")
    assert ran.code == 0, ran.err
    again = conformance("run", "--resume", str(tmp_path / "run"), "--quick")
    assert again.code == 2 and "--quick" in again.err

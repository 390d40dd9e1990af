"""Scripts of the registered defects, run without the project; one of each framework in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.judge.profile import load_profile
from conformance.places import PROFILES
from tests.reports.reproducers import SPECS, entry_of, findings, problem, run_bare, run_together


@pytest.mark.parametrize("spec", SPECS)
def test_a_script_of_every_registered_defect_shows_what_is_recorded(spec: str, tmp_path: Path) -> None:
    pytest.importorskip(spec.partition(":")[0])
    shown = findings(spec, all_cases=False)
    name, _, mode = spec.partition(":")
    known = [
        each
        for each in load_profile(PROFILES / f"{name}.yaml").known
        if not each.modes or (mode or "jit") in each.modes
    ]
    missing = {each.id for each in known} - {entry_of(each) for each in shown}
    assert shown and not (missing and not mode), missing  # a mode need not have every operation
    results = run_together(shown, tmp_path)
    wrong = [
        f"{each.outcome.case}, {each.outcome.dtype}, {each.outcome.check}: {said}\n{each.script}"
        for each, (printed, raised) in zip(shown, results, strict=True)
        if (said := problem(each.outcome, printed, raised))
    ]
    assert not wrong, "\n".join(wrong)
    assert all("conformance" not in each.script and "backends" not in each.script for each in shown)
    if spec in ("torch", "optax"):
        shortest = min(shown, key=lambda each: len(each.script))
        assert not problem(shortest.outcome, *run_bare(shortest.script))

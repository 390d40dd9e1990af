"""Scripts of the registered defects, run without the project; one of each framework in a process of its own."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from conformance.places import PROFILES
from conformance.profiles.load import load_profile
from conformance.profiles.versions import is_within
from tests.support.reproducers import FAMILIES, entry_of, findings, problem, run_bare, run_together

pytestmark = [pytest.mark.framework, pytest.mark.slow, pytest.mark.first]
#: Characters: what a maintainer reads in a minute.
LONGEST = 2_500


@pytest.mark.parametrize("family", FAMILIES)
def test_a_script_of_every_registered_defect_shows_what_is_recorded(family: str, tmp_path: Path) -> None:
    specs = [spec for spec in FAMILIES[family] if find_spec(spec.partition(":")[0]) is not None]
    if not specs:
        pytest.skip(f"{family} is not installed")
    shown = {spec: findings(spec, all_cases=False) for spec in specs}
    for spec, found in shown.items():
        missing = registered(spec) - {entry_of(each) for each in found}
        assert found and not (missing and ":" not in spec), missing  # a variant need not have every operation
    # A variant shows much of what its backend does: each entry once, by each of its checks.
    once = {
        (spec.partition(":")[0], entry_of(each), each.outcome.check): each
        for spec, found in shown.items()
        for each in reversed(found)
    }
    together = list(once.values())
    wrong = [
        f"{each.outcome.case}, {each.outcome.dtype}, {each.outcome.check}: {said}\n{each.script}"
        for each, (printed, raised) in zip(together, run_together(together, tmp_path), strict=True)
        if (said := problem(each.outcome, printed, raised))
    ]
    assert not wrong, "\n".join(wrong)
    for each in together:
        assert "conformance" not in each.script and "backends" not in each.script
        assert len(each.script) < LONGEST, each.script


def test_a_script_needs_nothing_but_its_own_process() -> None:
    pytest.importorskip("torch")
    shown = findings("torch", all_cases=False)
    shortest = min(shown, key=lambda each: len(each.script))
    assert not problem(shortest.outcome, *run_bare(shortest.script))


def registered(spec: str) -> set[str]:
    """The register entries that speak of a backend in the version that is installed."""
    name, _, mode = spec.partition(":")
    profile = load_profile(PROFILES / f"{name}.yaml")
    known = [each for each in profile.known if is_within(version(profile.distribution), each.versions, unknown=True)]
    return {each.id for each in known if not each.modes or (mode or "default") in each.modes}

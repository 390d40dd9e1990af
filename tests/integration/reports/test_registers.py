"""Every entry of a register has a stand-alone script that shows it, on what is installed."""

from __future__ import annotations

import pytest

from conformance.model.errors import BackendUnavailable
from conformance.places import PROFILES
from tests.support.registers import lines_of

BACKENDS = [path.stem for path in sorted(PROFILES.glob("*.yaml"))]


@pytest.mark.framework
@pytest.mark.nightly
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_script_shows_each_entry_without_the_suite(backend: str) -> None:
    try:
        wrong = [line.text for line in lines_of(backend) if line.fails]
    except BackendUnavailable as error:
        pytest.skip(str(error))
    assert not wrong, "\n".join(wrong)

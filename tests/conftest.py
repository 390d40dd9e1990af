"""The fixtures that tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.cli import Ran, Run

# A busy machine is no reason to fail.
settings.register_profile("conformance", deadline=None)
settings.load_profile("conformance")


@pytest.fixture
def conformance(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in this process, from a folder of its own: exit code, standard output, standard error."""
    from conformance.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(each) for each in arguments])
        return Ran(code, *capfd.readouterr())

    return run

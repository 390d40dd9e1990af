from __future__ import annotations

import sys
from pathlib import Path

import pytest

CLI = str(Path(__file__).parents[1] / "cli")
if CLI not in sys.path:  # what the tests of the command line share serves here too
    sys.path.insert(0, CLI)


@pytest.fixture
def conformance(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    """Runs the command line in this process, from a folder of its own: exit code, standard output, standard error."""
    from cli_support import Ran

    from conformance.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(each) for each in arguments])
        return Ran(code, *capfd.readouterr())

    return run

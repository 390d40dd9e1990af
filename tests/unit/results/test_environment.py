from __future__ import annotations

import getpass
import json
import socket
from pathlib import Path

import pytest

from conformance.results import environment


def test_the_machine_is_described_but_not_named() -> None:
    found = environment.describe_environment()
    text = json.dumps(found)
    assert found["python"].split()[1].startswith("3.")
    assert found["cores"]["usable"] >= 1 and (found["memory"] is None or found["memory"] > 2**20)
    assert found["cpu"] and found["suite"]
    assert str(Path.home()) + "/" not in text and str(environment.ROOT) not in text and socket.gethostname() not in text
    assert getpass.getuser() not in text.split('"')


def test_no_checkout_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    assert environment.suite_commit() is None
    (tmp_path / ".git").mkdir()
    assert environment.suite_commit() is None
    monkeypatch.setenv("PATH", "")
    assert environment.suite_commit() is None

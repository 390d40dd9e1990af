"""Where things are kept by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.places import folder_of_now


def test_runs_that_begin_in_one_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = []
    for _ in range(3):
        folders.append(folder_of_now("bench-"))
        folders[-1].mkdir(parents=True)
    assert all(each.parent == Path("results") and each.name.startswith("bench-") for each in folders)

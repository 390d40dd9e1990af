"""A run that is interrupted anywhere and resumed ends as an unbroken one, the register's stale entries among it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from conformance.results.store import FILE, read_run
from conformance.run import launch as launching
from conformance.run.launch import Finished, RunSettings, launch

CASES = "theme: numbered\ncases:\n" + "".join(
    f"- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32]}}\n" for n in range(40)
)
PROFILE = """
backend: {name}
extends: numpy
known:
  - id: no-longer-wrong
    cases: [case-1, case-39]
    checks: [value]
    ops: [softmax]
    why: it is right
    issue: not reported
    date: "2026-01-01"
"""


def finish(**settings: object) -> Finished:
    return launch(RunSettings(jobs=1, quiet=True, identities=False, **settings))  # type: ignore[arg-type]


def judged(folder: Path) -> list[bytes]:
    return sorted(msgspec.json.encode(msgspec.structs.replace(each, seconds=0.0)) for each in read_run(folder).outcomes)


def test_stale_entries_survive_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "numbered.yaml").write_text(CASES)
    monkeypatch.setattr(launching, "CASES", tmp_path / "cases")
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(
            "from conformance.backends.numpy import Numpy\n\n\nclass Mine(Numpy): pass\n"
        )
        (tmp_path / f"{name}.profile.yaml").write_text(PROFILE.format(name=name))
    whole = finish(backends=(str(tmp_path / "first.py"), str(tmp_path / "second.py")), output=tmp_path / "whole")
    lines = (tmp_path / "whole" / FILE).read_bytes().splitlines(keepends=True)
    stale = [number for number, line in enumerate(lines, 1) if b'"verdict":"stale"' in line]
    assert (whole.exit_code, whole.counts["stale"], len(stale)) == (1, 4, 4)
    # Within a unit, before the first stale line, between two, behind them, within the second backend, at the end.
    for kept in (5, stale[0] - 1, stale[0], stale[1], stale[1] + 9, stale[2] - 1, stale[2], stale[3]):
        folder = tmp_path / f"cut-{kept}"
        folder.mkdir()
        (folder / FILE).write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
        resumed = finish(resume=folder)
        assert (resumed.exit_code, resumed.counts) == (whole.exit_code, whole.counts), kept
        assert judged(folder) == judged(tmp_path / "whole"), kept

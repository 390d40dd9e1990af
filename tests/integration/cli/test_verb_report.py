from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import WRONG, Run, adapter, process, write

pytestmark = pytest.mark.slow


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_a_run_ends_by_naming_its_page(tmp_path: Path, conformance: Run) -> None:
    write(tmp_path / "small.yaml")
    adapter(tmp_path, WRONG)
    words = ("run", "-b", "mine.py", "--cases", "small.yaml", "--output", "out", "-q", "--site")
    ran = process(*words, folder=tmp_path)
    assert ran.code == 1
    assert last_line(ran.out) == "site: out/site/index.html"
    page = (tmp_path / "out" / "site" / "cases" / "rows.html").read_text(encoding="utf-8")
    for command, code in (("explain rows -b mine.py --dtype float32", 1), ("repro rows -b mine.py", 0)):
        assert f"conformance {command} --cases small.yaml" in page
        assert conformance(*command.split(), "--cases", "small.yaml").code == code
    assert "powers / powers.sum()" in page  # the adapter's source, from the results alone
    again = process("report", "out", "--output", "merged", "--cases", "small.yaml", folder=tmp_path)
    assert again.code == 0
    assert last_line(again.out) == "site: merged/index.html"
    assert "softmax by rows" in (tmp_path / "merged" / "cases" / "rows.html").read_text(encoding="utf-8")


def test_a_narrowed_run_says_how_to_get_one(tmp_path: Path, conformance: Run) -> None:
    write(tmp_path / "small.yaml")
    ran = conformance("run", "-b", "numpy", "--cases", "small.yaml", "--output", "out", "-q")
    assert ran.code == 0
    assert last_line(ran.out) == "for a site: conformance report out --output out/site --cases small.yaml"
    assert not (tmp_path / "out" / "site").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path, conformance: Run) -> None:
    (tmp_path / "empty").mkdir()
    ran = conformance("report", "empty", "--output", "site")
    assert ran.code == 2
    assert "holds no run" in ran.err
    assert not (tmp_path / "site").exists()


def test_what_a_stranger_wrote_commands_neither_terminal_nor_runner(tmp_path: Path, conformance: Run) -> None:
    evil = "bad \x1b[31m\n::error::pwned\n " + "word " * 20 + "::stop-commands::x ##[group]y"
    outcome = {
        "record": "outcome", "case": evil, "theme": evil, "backend": "lib", "version": evil, "dtype": "float32",
        "layout": "contiguous", "op": "softmax", "reduction": "none", "check": "value", "verdict": "fail",
        "message": evil, "observed": evil, "expected": evil, "source": evil,
    }  # fmt: skip
    header = {"record": "header", "schema": 1, "suite": "0", "started": "2026-01-01T00:00:00+00:00"}
    backends = [
        {"record": "backend", "name": "lib", "framework": "lib", "versions": {"lib": evil}},
        {"record": "backend", "name": evil, "error": evil},
    ]
    lines = [json.dumps(each) for each in (header, *backends, outcome)]
    write(tmp_path / "run" / "outcomes.jsonl", "\n".join(lines) + "\n")
    ran = conformance("report", "run", "--output", "site")
    assert ran.code == 0 and "FAIL" in ran.out and "\x1b" not in ran.out
    assert not [line for line in ran.out.splitlines() if line.lstrip().startswith(("::", "##["))]


def test_a_report_says_by_whose_declarations_a_users_kernel_was_judged(tmp_path: Path, conformance: Run) -> None:
    write(tmp_path / "small.yaml")
    adapter(tmp_path)
    declared = write(
        tmp_path / "mine.profile.yaml",
        "backend: mine\nextends: numpy\ntitle: My own kernel\nclasses: {softmax: {float32: C}}\n",
    )
    ran = conformance("run", "-b", "mine.py", "--cases", "small.yaml", "--output", "out", "-q")
    assert ran.code == 0
    declared.unlink()  # the results hold what it declared
    conformance("report", "out", "--output", "site", "--cases", "small.yaml", "--csv", "all.csv")
    (page,) = (tmp_path / "site" / "backends").glob("mine*.html")
    text = page.read_text(encoding="utf-8")
    assert "what mine.profile.yaml declares, over the profile numpy" in text and "My own kernel" in text
    accuracy = text.partition('id="a-softmax-float32"')[2].partition("</tr>")[0]
    assert "<td>C<td>" in accuracy  # the class that it is held to
    assert "mine was judged by what mine.profile.yaml declares" in (tmp_path / "out" / "summary.md").read_text()
    assert "mine.profile.yaml" in (tmp_path / "site" / "runs.html").read_text(encoding="utf-8")
    assert ",mine.profile.yaml," in (tmp_path / "all.csv").read_text(encoding="utf-8")

"""Results that a stranger wrote: every verb that reads them, and every file that it writes, holds text and no more."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from conformance import load
from tests.support.cli import Run
from tests.support.hostile import hostile_run
from tests.support.site.pages import SAFE_TAGS, Page

#: What a terminal, a reader or a runner could take as something else than text.
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
COMMAND = re.compile(r"^\s*(::|##\[)", re.MULTILINE)
#: Our own mark, which breaks such a command.
MARK = "\u2060"


def steering(text: str) -> set[str]:
    return {c for c in text if c not in "\n" + MARK and unicodedata.category(c) in STEERING}


def harmless(text: str, longest: int = 10_000) -> None:
    """Whether a terminal or a runner may be given the text."""
    assert not steering(text) and not COMMAND.search(text)
    assert max(map(len, text.splitlines()), default=0) <= longest


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("hostile")
    old = hostile_run(folder / "old", "pass", "2026-01-01T00:00:00+00:00")
    return old, hostile_run(folder / "new", "fail", "2026-01-02T00:00:00+00:00")


def check_page(text: str) -> None:
    assert not steering(text.replace("\t", " "))
    for tag, attributes in Page(text).tags:
        assert tag in SAFE_TAGS
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not [name for name in ("href", "src") if "script:" in (attributes.get(name) or "")]


def check_markdown(text: str) -> None:
    harmless(text, 60_000)
    prose = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"(?<!\\)(<script|!\[x|\*\*bold)", prose)
    width = 0
    for line in prose.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells == 0 or width in (0, cells), line[:200]
        width = cells


@pytest.mark.slow
def test_a_report_with_every_export(runs: tuple[Path, Path], tmp_path: Path, conformance: Run) -> None:
    exports = (
        "--junit",
        "j.xml",
        "--csv",
        "all.csv",
        "--parquet",
        "all.pq",
        "--badge",
        "badges",
        "--summary",
        "job.md",
    )
    ran = conformance("report", *runs, "--output", "site", *exports, "--details", "100")
    assert ran.code == 0 and ran.err == ""
    harmless(ran.out)
    annotated = conformance("report", *runs, "--output", "site", "--annotations", "--details", "0").out
    commands = [line for line in annotated.splitlines() if COMMAND.match(line)]
    assert len(commands) == 11 and all(re.match(r"::(error|notice) [^:]*title=", line) for line in commands)
    assert not steering(annotated)
    site = tmp_path / "site"
    for page in site.rglob("*.html"):
        check_page(page.read_text(encoding="utf-8"))
    for page in (*site.rglob("*.md"), tmp_path / "job.md"):
        check_markdown(page.read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[a-z0-9.-]{1,90}", each.name) for each in site.rglob("*"))
    assert max(each.stat().st_size for each in site.rglob("*") if each.is_file()) < 4_000_000
    tags = {each.tag for each in ElementTree.parse(tmp_path / "j.xml").iter()}
    assert tags == {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped"}
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r")) or steering(cell)]
    assert max(map(len, cells)) < 32_768
    for badge in (tmp_path / "badges").iterdir():
        said: dict[str, Any] = json.loads(badge.read_text(encoding="utf-8"))
        harmless(f"{said['label']} {said['message']}")


@pytest.mark.slow
@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_a_diff(runs: tuple[Path, Path], conformance: Run, style: str) -> None:
    ran = conformance("diff", *runs, "--format", style)
    assert ran.code == 1 and ran.err == ""
    if style == "json":
        assert json.loads(ran.out)["regressed"] is True
    elif style == "markdown":
        check_markdown(ran.out)
    else:
        harmless(ran.out)


@pytest.mark.slow
def test_the_other_verbs(runs: tuple[Path, Path], tmp_path: Path, conformance: Run) -> None:
    verbs: list[tuple[object, ...]] = [
        ("history", "add", *runs, "--db", "history.duckdb"), ("history", "show", "--db", "history.duckdb"),
        ("dossier", *runs, "--output", "dossier"), ("list", "policies", "--observed", runs[1]),
    ]  # fmt: skip
    for words in verbs:
        ran = conformance(*words)
        assert ran.code == 0 and ran.err == "", words
        harmless(ran.out)
    assert json.loads(conformance("history", "show", "--db", "history.duckdb", "--format", "json").out)["verdicts"]
    for page in (tmp_path / "dossier").iterdir():
        check_markdown(page.read_text(encoding="utf-8"))
    assert len(load(*runs)) == len(load(*runs, sql="from outcomes"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"detail":"\\ud800"', "outcomes.jsonl:3"),
        ('"detail":"\xff"', "outcomes.jsonl:3"),
        ('"detail":' + "[" * 400 + "]" * 400, "outcomes.jsonl:3"),
        ('"observed":' + "[" * 400 + "]" * 400, "outcomes.jsonl:3"),
        ('"ulp":"x"', "outcomes.jsonl:3"),
        ('"ratio":-1', "outcomes.jsonl:3"),
        ('"check":"policy","policy":"p","observed":-1', "outcomes.jsonl:3"),
    ],
)
def test_what_is_damaged_is_named_by_every_verb(
    tmp_path: Path, conformance: Run, capfd: pytest.CaptureFixture[str], text: str, named: str
) -> None:
    from tests.support.outcomes import outcome, run, without_blocks

    file = run(tmp_path / "run", [outcome("c"), outcome("d")]) / "outcomes.jsonl"
    lines = without_blocks(file).splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if b'"case":"c"' in line)
    lines[place] = lines[place].replace(b'"case":"c"', b'"case":"c",' + text.encode("latin-1"))
    file.write_bytes(b"".join(lines))
    run(tmp_path / "other", [outcome("c"), outcome("d")])
    for words in (
        ("report", "run", "--output", "site"), ("report", "run", "--output", "site", "--csv", "x.csv"),
        ("diff", "run", "other"), ("diff", "other", "run"), ("dossier", "run", "--output", "dossier"),
        ("history", "add", "run", "--db", "h.duckdb"), ("list", "policies", "--observed", "run"),
    ):  # fmt: skip
        ran = conformance(*words)
        assert ran.code == 2 and named in ran.err and "hint" in ran.err, (words, ran.err)
        assert "internal error" not in ran.err and "Traceback" not in ran.err

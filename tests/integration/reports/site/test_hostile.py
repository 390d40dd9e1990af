"""Whatever a stranger wrote into a run, its pages hold no tag, link or file of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.model.backend import BackendId, BackendRecord, SourceRecord
from conformance.reports.columns import slug
from conformance.reports.text import link, visible
from conformance.repro.script import Reproducer
from tests.support.outcomes import HOSTILE, outcome, run
from tests.support.site.pages import SAFE_TAGS, Page, findings, site


def test_hostile_text_changes_nothing(tmp_path: Path) -> None:
    evil = BackendId(name=HOSTILE, framework=HOSTILE, device=HOSTILE, execution=HOSTILE)
    sources = {HOSTILE: SourceRecord(file="javascript:alert(1)", line=1, text=HOSTILE)}
    record = BackendRecord(
        name=HOSTILE,
        id=evil,
        versions={HOSTILE: HOSTILE},
        sources=sources,
        settings={HOSTILE: HOSTILE},
        profile="../../x",
    )
    broken = BackendRecord(name="broken", error=HOSTILE)
    texts = {
        "reduction": HOSTILE,
        "reason": "recorded",
        "detail": HOSTILE,
        "observed": HOSTILE,
    }
    rows = [
        outcome(HOSTILE, HOSTILE, theme=HOSTILE, verdict="fail", **texts),
        outcome("../../escape", HOSTILE, verdict="deviation", worst_input={HOSTILE: [HOSTILE]}),
        outcome("CON", HOSTILE, class_=HOSTILE, reduction=HOSTILE),
        outcome(
            "x" * 5000,
            "<b>",
            verdict="error",
            reason="recorded",
            detail="\udc80".encode("utf-8", "replace").decode(),
        ),
    ]
    made = site(
        tmp_path, run(tmp_path / "r", rows, backends=[record, broken]), reproduce=lambda *_: Reproducer(HOSTILE)
    )
    files = [each for each in made.rglob("*") if each.is_file()]
    assert {each.suffix for each in files} == {".html", ".css", ".js", ".txt"}
    assert all(re.fullmatch(r"[a-z0-9.-]{1,90}", each.name) for each in files)
    assert not (tmp_path / "escape.html").exists()
    for each in files:
        if each.suffix != ".html":
            continue
        text = each.read_text(encoding="utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\ufeff]", text), each.name
        found = Page(text)
        assert {tag for tag, _ in found.tags} <= SAFE_TAGS, each.name
        assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on") or a == "style"]
        for tag, attributes in found.tags:
            assert tag != "script" or (attributes["src"] or "").startswith(("assets/", "../assets/"))
            assert not (attributes.get("href") or "").lower().startswith("javascript")
        assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|49", found.text)[:1] or "{{ 7*7 }}" in found.text
    script = (made / "assets/findings.js").read_text(encoding="ascii")
    assert not re.search(r"[<>&\u2028]", script)
    assert any("alert(1)" in case for case, _ in findings(made)["cases"])


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("https://github.com/a/b/issues/1", "https://github.com/a/b/issues/1"),
        ("pytorch/pytorch#11752", "https://github.com/pytorch/pytorch/issues/11752"),
        ("javascript:alert(1)", None),
        ("https://x\u202e.example", None),
        ('https://x" onclick="y', None),
        ("data:text/html,x", None),
        ("not reported", None),
    ],
)
def test_only_addresses_become_links(text: str, href: str | None) -> None:
    found = [attributes.get("href") for tag, attributes in Page(str(link(text))).tags if tag == "a"]
    assert found == ([href] if href else [])


def test_names_of_files_are_safe_and_distinct() -> None:
    texts = ["a", "A", "a/../b", "", ".", "..", "a b", "a-b", "con", "x" * 300, "x" * 301, "é", "a.", "\ud800", "-"]
    names = [slug(text) for text in texts]
    assert len({name.lower() for name in names}) == len(texts)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,79}", name) for name in names)


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert visible("a\x1b[0m\u202eb\ufeff\n") == "a\\x1b[0m\\u202eb\\ufeff\n"

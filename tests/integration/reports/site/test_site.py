from __future__ import annotations

import json
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conformance.model.errors import UsageError
from conformance.model.records import BackendId, BackendRecord, Declaration, DefectRef, SourceRecord
from conformance.oracle.derived import derived
from conformance.places import PROFILES
from conformance.profiles.load import load_profile
from conformance.reports.columns import slug
from conformance.reports.kills import read_kills
from conformance.reports.matrix import matrix
from conformance.reports.merge import merge
from conformance.reports.site.build import write_site
from conformance.reports.text import link, visible
from conformance.reports.worst import BAD, worst
from conformance.results.store import read_run
from tests.support import benchmarks as synthetic
from tests.support.outcomes import HOSTILE, outcome, record, run, saying

SAFE_TAGS = frozenset(
    """html meta title link script body a header nav button main h1 h2 h3 h4 p b i small span ul li svg rect path
    circle section div table caption thead tbody tfoot tr th td details summary dl dt dd form label input select
    option noscript code pre article sub sup i figure img""".split()  # noqa: SIM905
)


class Page(HTMLParser):
    """Collects what a browser would see: tags, attributes, visible text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def site(folder: Path, *runs: Path, **options: Any) -> Path:
    return write_site([read_run(each) for each in runs], folder / "site", derive=derived, **options).parent


def page(folder: Path, name: str) -> Page:
    return Page((folder / name).read_text(encoding="utf-8"))


def findings(folder: Path) -> dict[str, Any]:
    text = (folder / "assets/findings.js").read_text(encoding="ascii")
    found = re.fullmatch(r"window\.conformanceFindings=(\{.*\});\n", text)
    assert found is not None
    return json.loads(found[1])


def cell(folder: Path, name: str) -> str:
    text = (folder / "index.html").read_text(encoding="utf-8")
    found = re.search(rf'<td id="{re.escape(name)}".*?>(.*?)(?=<td|<tr|</t)', text, re.DOTALL)
    assert found is not None
    return " ".join(Page(found[1]).text.split())


def test_the_matrix_mixes_no_verdict_into_another(tmp_path: Path) -> None:
    verdicts = ["pass", "pass", "fail", "crash", "timeout", "error", "unsupported", "known", "deviation", "not run"]
    rows = [outcome(f"c{i}", verdict=verdict) for i, verdict in enumerate(verdicts)]
    made = site(tmp_path, run(tmp_path / "r", rows))
    assert cell(made, "c-one-1.0--stability") == (
        "2 pass1 deviation1 known1 fail1 crash1 timeout1 error1 unsupported1 not run"
    )
    assert "does not conform" in page(made, "index.html").text
    assert len(findings(made)["rows"]) == 8


def test_the_overview_names_every_defect_in_a_line_with_where_it_is_reported(tmp_path: Path) -> None:
    entry = next(each for each in load_profile(PROFILES / "torch.yaml").known if each.issue.startswith("http"))
    rows = [
        outcome("c", "torch", verdict="known", defect=DefectRef(entry.id, entry.issue)),
        outcome("d", "torch", verdict="known", defect=DefectRef("of-another-checkout", "not reported")),
    ]
    made = page(site(tmp_path, run(tmp_path / "r", rows, backends=[record("torch", profile="torch")])), "index.html")
    links = [attributes.get("href") for tag, attributes in made.tags if tag == "a"]
    assert entry.issue in links and f"backends/torch-1.0.html#k-{entry.id}" in links
    assert f"{entry.id}: {entry.why.split('.')[0].split(';')[0].split(':')[0]}" in made.text
    assert "of-another-checkout not reported" in " ".join(made.text.split())


def test_every_link_inside_the_site_leads_somewhere(tmp_path: Path) -> None:
    rows = [
        outcome("two-equal-logits-at-1e8", verdict="known", class_="C", defect=DefectRef("entry", "none")),
        outcome("two-equal-logits-at-1e8", "two"),
        outcome("not-in-this-checkout", verdict="fail", reason="beyond-bound"),
        outcome("mean-of-nothing", verdict="deviation", excused_by=("mean-of-all-ignored",)),
        outcome(
            "other-theme",
            theme="shapes and <more>",
            verdict="unsupported",
            **saying("no"),
        ),
    ]
    made = site(tmp_path, run(tmp_path / "r", rows))
    pages = {
        each.relative_to(made).as_posix(): page(made, each.relative_to(made).as_posix())
        for each in made.rglob("*.html")
    }
    ids = {name: [a["id"] for _, a in found.tags if "id" in a] for name, found in pages.items()}
    assert len(pages) == 9 + 2 + 4
    for name, found in pages.items():
        assert len(ids[name]) == len(set(ids[name])), name
        for tag, attributes in found.tags:
            target = (
                attributes.get("href") if tag in ("a", "link") else attributes.get("src") if tag == "script" else None
            )
            if target is None or target.startswith(("http", "data:")):
                continue
            file, _, fragment = target.partition("#")
            path = (made / name).parent / file if file else made / name
            assert path.resolve().is_file(), (name, target)
            if fragment and "=" not in fragment:
                assert fragment in ids[path.resolve().relative_to(made.resolve()).as_posix()], (name, target)


def test_the_kill_matrix_is_a_page_beside_the_cases_that_it_is_of(tmp_path: Path) -> None:
    made = site(tmp_path, run(tmp_path / "r", [outcome("two-equal-logits-at-1e8"), outcome("mean-of-nothing")]))
    text = page(made, "kills.html").text
    kills = read_kills()
    assert kills is not None and f"{len(kills.wrong)} wrong backends" in text
    for name, wrong in list(kills.wrong.items())[::100]:
        assert name.partition(".")[2] in text and wrong.example in text
    assert ("a", {"href": "kills.html"}) in page(made, "cases.html").tags
    other = site(tmp_path, run(tmp_path / "other", [outcome("my-own")]))
    assert not (other / "kills.html").exists() and "kills.html" not in (other / "cases.html").read_text("utf-8")


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
        outcome("CON", HOSTILE, class_=HOSTILE, ulp=HOSTILE, ratio=HOSTILE, reduction=HOSTILE),
        outcome(
            "x" * 5000,
            "<b>",
            verdict="error",
            reason="recorded",
            detail="\udc80".encode("utf-8", "replace").decode(),
        ),
    ]
    made = site(tmp_path, run(tmp_path / "r", rows, backends=[record, broken]), reproduce=lambda *_: HOSTILE)
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


def test_versions_stand_side_by_side_and_a_newer_run_of_the_same_replaces(tmp_path: Path) -> None:
    old = run(tmp_path / "a", [outcome("c", verdict="fail"), outcome("d")], started="2026-01-01")
    new = run(tmp_path / "b", [outcome("c")], started="2026-01-02")
    next_version = run(tmp_path / "c", [outcome("c")], version="1.10", started="2026-01-03")
    between = run(tmp_path / "e", [outcome("c", verdict="known")], version="1.9", started="2026-01-04")
    made = site(tmp_path, new, next_version, old, between)
    assert cell(made, "c-one-1.0--stability") == "2 pass"
    assert cell(made, "c-one-1.10--stability") == "1 pass"
    heads = re.findall(r'href="backends/(.*?)\.html">(.*?)</a>', (made / "index.html").read_text().split("<thead>")[1])
    assert [label for _, label in heads[:3]] == ["one 1.0", "one 1.9", "one 1.10"]
    assert "1 outcomes were made again" in page(made, "runs.html").text


def test_kinds_of_machine_and_modes_are_kept_apart(tmp_path: Path) -> None:
    here = run(tmp_path / "a", [outcome("c")], cpu="First")
    compiled = run(tmp_path / "c", [outcome("c")], cpu="First", mode="compile")
    there = run(tmp_path / "b", [outcome("c", verdict="fail")], cpu="Second")
    text = page(site(tmp_path, here, there, compiled), "index.html").text
    assert "one 1.0 compile" in text
    assert "one 1.0 eager First" in text
    assert "one 1.0 eager Second" in text


def test_a_truncated_run_and_one_that_could_not_start_are_said(tmp_path: Path) -> None:
    gone = BackendRecord(name="absent", error="it is not installed")
    made = site(tmp_path, run(tmp_path / "r", [outcome("c")], complete=False, backends=[gone]))
    text = page(made, "index.html").text
    assert "truncated" in text
    assert "absent did not run" in text


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = run(tmp_path / "r", [outcome("c"), outcome("d")]) / "outcomes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"case":"c"', b'"case":7')
    file.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:3.*damaged"):
        site(tmp_path, tmp_path / "r")


def test_a_page_shows_case_derivation_source_and_reproducer(tmp_path: Path) -> None:
    rows = [
        outcome(
            "two-equal-logits-at-1e8", verdict="fail", observed=0.0, expected=0.6931471805599453, reason="beyond-bound"
        )
    ]
    made = site(
        tmp_path,
        run(tmp_path / "r", rows),
        reproduce=lambda entry, found, made: f"# {entry.case.id}\n{made.sources[found.op].text}",
    )
    text = page(made, "cases/two-equal-logits-at-1e8.html").text
    for part in (
        "logits: [[1e8, 1e8]]",
        "the loss is 0 where ln 2 is right",
        "0.69314718055994531",
        "lse-minus-x",
        "def cross_entropy(x): ...",
        "# two-equal-logits-at-1e8\ndef cross_entropy(x): ...",
        "conformance explain two-equal-logits-at-1e8 -b one --dtype float32",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("script", "needs"),
    [("import numpy as np", "needs one alone"), ("from conformance.backends import x", "needs one and this suite")],
)
def test_the_caption_of_a_script_says_what_it_imports(tmp_path: Path, script: str, needs: str) -> None:
    rows = [outcome("two-equal-logits-at-1e8", verdict="fail", observed=0.0, expected=0.7, reason="beyond-bound")]
    made = site(tmp_path, run(tmp_path / "r", rows), reproduce=lambda *_: script)
    text = page(made, "cases/two-equal-logits-at-1e8.html").text
    assert f"Reproducer: {needs}" in text, re.findall(r"Reproducer.*", text)


def test_a_second_site_leaves_no_page_of_the_first(tmp_path: Path) -> None:
    made = site(tmp_path, run(tmp_path / "a", [outcome("first")]))
    (made / "cases" / "mine.html").write_text("not ours")
    site(tmp_path, run(tmp_path / "b", [outcome("second")]))
    assert sorted(each.name for each in (made / "cases").iterdir()) == ["mine.html", "second.html"]


def test_times_are_shown_and_a_wrong_file_is_refused(tmp_path: Path) -> None:
    folder = run(tmp_path / "r", [outcome("c")])
    synthetic.write(folder, workloads={"wide": (4, 9)}, rounds=3, machine=HOSTILE)
    whole = json.loads((folder / "benchmarks.json").read_text())
    facts = whole["benchmarks"][0]["extra_info"] | {"backend": HOSTILE}
    whole["not_timed"] = [{**facts, "status": "unsupported", "message": HOSTILE}] * 2
    (folder / "benchmarks.json").write_text(json.dumps(whole))
    made = site(tmp_path, folder)
    found = page(made, "benchmarks.html")
    assert "tensorflow:xla" in found.text and "fail (declares" in " ".join(found.text.split())
    assert "Not timed: 1" in found.text
    assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on")]
    images = [attributes["src"] or "" for tag, attributes in found.tags if tag == "img"]
    assert len(images) >= 4 and all((made / each).read_text().startswith("<svg") for each in images)
    assert site(tmp_path, run(tmp_path / "other", [outcome("c")])) == made
    assert not [*made.glob("assets/*.svg")]  # those of the earlier site are gone
    (folder / "benchmarks.json").write_text("[]")
    with pytest.raises(UsageError, match=r"benchmarks\.json"):
        site(tmp_path, folder)


def test_times_alone_make_a_site(tmp_path: Path) -> None:
    merged = merge([synthetic.write(tmp_path / "b", workloads={"w": (4, 9)}, rounds=2)])
    assert merged.runs == () and len(merged.benchmarks) == 1
    first = write_site(merged.runs, tmp_path / "site", benchmarks=merged.benchmarks)
    assert "hold times and no checks" in page(first.parent, "index.html").text
    assert "numpy" in page(first.parent, "benchmarks.html").text


def test_the_semantics_matrix_shows_what_was_observed_beside_what_is_declared(tmp_path: Path) -> None:
    policy = {"check": "policy", "class_": None, "ulp": None, "ratio": None}
    linked = {
        "reach": Declaration(value="zero", documentation="https://x.example/doc"),
        "unasked": Declaration(value="nan", documentation="javascript:alert(1)", note="a <b>note"),
    }
    records = [
        BackendRecord(name=name, id=BackendId(name=name, framework="one"), versions={name: "1.0"}, policies=linked)
        for name in ("one", "one:two")
    ]
    rows = [
        outcome("c", "one", policy="reach", observed=["nan"], verdict="fail", **policy),
        outcome("c", "one:two", policy="reach", observed=["zero"], **policy),
    ]
    text = (site(tmp_path, run(tmp_path / "r", rows, backends=records)) / "semantics.html").read_text()
    reach, unasked = (re.search(rf'<tr id="p-{name}".*?(?=<tr id|</tbody>)', text, re.DOTALL) for name in linked)
    assert reach is not None and unasked is not None
    assert " ".join(Page(reach[0]).text.split()).startswith("reach⇄ modes of one differ")
    assert "data-differs" in reach[0] and "≠ nan" in reach[0] and "declared: zero" in reach[0]
    assert 'href="https://x.example/doc"' in reach[0]
    assert "data-differs" not in unasked[0] and "<i>nan</i>" in unasked[0] and "href" not in unasked[0]


def test_dtypes_share_a_row_where_everything_passes(tmp_path: Path) -> None:
    dtypes = ("float64", "float32", "float16")
    good = [outcome("good", dtype=dtype, ulp=0.1 * n, ratio=0.01 * n) for n, dtype in enumerate(dtypes, 1)]
    bad = [outcome("bad", dtype=dtype, verdict="fail" if dtype == "float16" else "pass") for dtype in dtypes]
    made = site(tmp_path, run(tmp_path / "r", [*good, *bad]))
    rows = {
        name: re.findall(r"<tr><td>.*", (made / f"cases/{name}.html").read_text().split('id="results"')[1])
        for name in ("good", "bad")
    }
    assert [Page(row).text for row in rows["good"]] == ["float64, float32, float16meanvalue0.50.3 · 0.03 · A"]
    assert len(rows["bad"]) == 3


def test_a_check_that_two_runs_made_counts_once_everywhere(tmp_path: Path) -> None:
    old = run(tmp_path / "a", [outcome("c", verdict="fail"), outcome("d")], started="2026-01-01")
    new = run(tmp_path / "b", [outcome("c")], started="2026-01-02")
    merged = merge([new, old])
    (column,) = merged.relations.columns
    assert column.label == "one 1.0" and merged.relations.superseded == 1
    assert matrix(merged.relations).total(column) == {"pass": 2} and not worst(merged.relations, BAD, 9)
    assert cell(site(tmp_path, new, old), "c-one-1.0--stability") == "2 pass"
    assert [each.verdict for each in merged.outcomes] == ["pass", "pass"]


def test_a_defect_of_many_cases_is_scripted_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.reports.site.reproducer.MOST", 3)
    asked: list[str] = []

    def reproduce(entry: Any, found: Any, *_: Any) -> str:
        asked.append(entry.case.id)
        return f"# {entry.case.id}"

    (tmp_path / "many.yaml").write_text(
        "theme: many\ncases:\n"
        + "".join(
            f"  - {{id: m{i}, why: w, flags: [double-softmax], op: softmax, logits: [[1, 2]]}}\n" for i in range(9)
        )
    )
    rows = [outcome(f"m{i}", verdict="known", defect=DefectRef("entry", "none")) for i in range(9)]
    made = site(tmp_path, run(tmp_path / "r", rows), cases=[tmp_path / "many.yaml"], reproduce=reproduce)
    assert asked == ["m0", "m1", "m2"]
    text = page(made, "cases/m8.html").text
    assert "of the same defect, in m0" in text and "# m0" in text


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_runs(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        rows = [outcome(f"c{k}", check="unmodified", **saying("m" * 300)) for k in range(20) for _ in range(20)]
        runs = [read_run(run(tmp_path / f"{count}-{i}", rows, started=f"2026-{i:03}")) for i in range(count)]
        tracemalloc.start()
        try:
            write_site(runs, tmp_path / f"site-{count}")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # imports and templates
    one, many = peak(1), peak(12)
    assert many - one < 12 * len("m" * 300) * 400 / 4  # the messages alone, held at once, would take four times as much


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

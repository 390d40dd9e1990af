"""The site as a whole: its matrix, its links, and what several runs and benchmarks make of it."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import pytest

from conformance.model.backend import BackendId, BackendRecord, Declaration, OwnProfile
from conformance.model.errors import UsageError
from conformance.model.outcome import DefectRef
from conformance.model.records import WorkerRecord, encode_record
from conformance.places import PROFILES
from conformance.profiles.load import load_profile
from conformance.reports.kills import read_kills
from conformance.reports.matrix import matrix
from conformance.reports.merge import merge
from conformance.reports.site.build import write_site
from conformance.reports.worst import BAD, worst
from tests.support import benchmarks as synthetic
from tests.support.outcomes import HOSTILE, outcome, record, run, saying, without_blocks
from tests.support.site.pages import Page, cell, findings, page, site

pytestmark = pytest.mark.slow


def test_the_matrix_mixes_no_verdict_into_another(tmp_path: Path) -> None:
    verdicts = ["pass", "pass", "fail", "crash", "timeout", "error", "unsupported", "known", "deviation", "not run"]
    rows = [outcome(f"c{i}", verdict=verdict) for i, verdict in enumerate(verdicts)]
    made = site(tmp_path, run(tmp_path / "r", rows))
    assert cell(made, "c-one-1.0--stability") == (
        "2 pass1 deviation1 known1 fail1 crash1 timeout1 error1 unsupported1 not run"
    )
    assert "does not conform" in page(made, "index.html").text
    assert len(findings(made)["rows"]) == 8


def test_every_defect_is_named_in_a_line_with_where_it_is_reported(tmp_path: Path) -> None:
    entry = next(each for each in load_profile(PROFILES / "torch.yaml").known if each.issue.startswith("http"))
    rows = [
        outcome("c", "torch", verdict="known", defect=DefectRef(entry.id, entry.issue)),
        outcome("d", "torch", verdict="known", defect=DefectRef("of-another-checkout", "not reported")),
    ]
    folder = site(tmp_path, run(tmp_path / "r", rows, backends=[record("torch", profile="torch")]))
    assert f"{entry.id}\n{entry.title}\n" in page(folder, "backends/torch-1.0.html").text
    made = page(folder, "index.html")
    links = [attributes.get("href") for tag, attributes in made.tags if tag == "a"]
    assert entry.issue in links and f"backends/torch-1.0.html#k-{entry.id}" in links
    assert f"{entry.id}: {entry.title}" in made.text
    assert "of-another-checkout not reported" in " ".join(made.text.split())


def an_example() -> str:
    """A case that the kill matrix shows: only a site that has one shows the matrix."""
    kills = read_kills()
    assert kills is not None
    return next(each.example for each in kills.wrong.values() if each.example)


def test_every_link_inside_the_site_leads_somewhere(tmp_path: Path) -> None:
    rows = [
        outcome("two-equal-logits-at-1e8", verdict="known", class_="C", defect=DefectRef("entry", "none")),
        outcome("two-equal-logits-at-1e8", "two"),
        outcome("not-in-this-checkout", verdict="fail", reason="beyond-bound"),
        outcome(an_example(), verdict="deviation", excused_by=("mean-of-all-ignored",)),
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
    assert len(pages) == 11 + 2 + 4
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
    made = site(tmp_path, run(tmp_path / "r", [outcome("two-equal-logits-at-1e8"), outcome(an_example())]))
    text = page(made, "kills.html").text
    kills = read_kills()
    assert kills is not None and f"{len(kills.wrong):,} wrong backends" in text
    for name, wrong in list(kills.wrong.items())[::100]:
        assert name.partition(".")[2] in text and wrong.example in text
    assert ("a", {"href": "kills.html"}) in page(made, "cases.html").tags
    other = site(tmp_path, run(tmp_path / "other", [outcome("my-own")]))
    assert not (other / "kills.html").exists() and "kills.html" not in (other / "cases.html").read_text("utf-8")


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


def test_the_machines_of_a_fleet_are_named(tmp_path: Path) -> None:
    folder = run(tmp_path / "r", [outcome("c")])
    worker = WorkerRecord(
        name="gpu-1", suite="0", environment={"cpu": "EPYC"}, versions={"torch": "2.0"}, resources=["torch"]
    )
    lines = without_blocks(folder / "outcomes.jsonl").splitlines(keepends=True)
    (folder / "outcomes.jsonl").write_bytes(b"".join([lines[0], encode_record(worker), *lines[1:]]))
    said = " ".join(page(site(tmp_path, folder), "runs.html").text.split())
    assert "Worker gpu-1EPYC: torch 2.0; offers torch" in said


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
    lines = without_blocks(file).splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"case":"c"', b'"case":7')
    file.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:3.*damaged"):
        site(tmp_path, tmp_path / "r")


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
    first = write_site(merged, tmp_path / "site")
    assert "hold times and no checks" in page(first.parent, "index.html").text
    assert "numpy" in page(first.parent, "benchmarks.html").text


def test_the_semantics_matrix_shows_what_was_observed_beside_what_is_declared(tmp_path: Path) -> None:
    policy = {"check": "policy", "class_": None, "ulp": None, "ratio": None, "expected": None}
    linked = {
        "reach": Declaration(value="zero", documentation="https://x.example/doc"),
        "unasked": Declaration(value="nan", documentation="javascript:alert(1)", note="a <b>note"),
    }
    records = [
        BackendRecord(
            name=name,
            id=BackendId(name=name, framework="one", composition=name.partition(":")[2]),
            versions={name: "1.0"},
            policies=linked,
        )
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


def test_the_page_of_a_backend_shows_the_declaration_that_it_was_judged_by(tmp_path: Path) -> None:
    """By all its options, of which a profile may name any; and by its record, where that holds what was declared."""
    reach = {"value": "zero", "documentation": "https://x.example/doc", "variants": {"eager": "refused"}}
    own = OwnProfile(file="one.profile.yaml", declares={"backend": "one", "policies": {"reach": reach}})
    identity = BackendId(name="one", version="1.0", device="cpu", execution="eager", composition="fused")
    rows = [outcome("c", verdict="deviation", excused_by=("reach",))]
    for policies, declared in (({}, "refused"), ({"reach": Declaration(value="kept")}, "kept")):
        made = BackendRecord(name="one", id=identity, own_profile=own, policies=policies)
        text = page(site(tmp_path, run(tmp_path / declared, rows, backends=[made])), "backends/one-1.0.html").text
        assert f"reach{declared}" in "".join(text.split()) and "cpu, eager, fused" in text


def test_a_check_that_two_runs_made_counts_once_everywhere(tmp_path: Path) -> None:
    old = run(tmp_path / "a", [outcome("c", verdict="fail"), outcome("d")], started="2026-01-01")
    new = run(tmp_path / "b", [outcome("c")], started="2026-01-02")
    merged = merge([new, old])
    (column,) = merged.relations.columns
    assert column.label == "one 1.0" and merged.relations.superseded == 1
    assert matrix(merged.relations).total(column) == {"pass": 2} and not worst(merged.relations, BAD, 9)
    assert cell(site(tmp_path, new, old), "c-one-1.0--stability") == "2 pass"
    assert [each.verdict for each in merged.outcomes] == ["pass", "pass"]


def test_memory_does_not_grow_with_the_number_of_runs(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        rows = [outcome(f"c{k}", check="unmodified", **saying("m" * 900)) for k in range(20) for _ in range(20)]
        runs = [run(tmp_path / f"{count}-{i}", rows, started=f"2026-{i:03}") for i in range(count)]
        tracemalloc.start()
        try:
            write_site(merge(runs), tmp_path / f"site-{count}")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # imports and templates
    one, many = peak(1), peak(6)
    assert many - one < 6 * len("m" * 900) * 400 / 4  # the messages alone, held at once, would take four times as much

"""``conformance diff``: what changed between two runs, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import benchmarks as synthetic
from tests.support.cli import Run, write
from tests.support.outcomes import outcome, run

HEADER = {"record": "header", "schema": 1, "suite": "0.1.0", "started": "2026-01-01T00:00:00+00:00"}
FOOTER = {"record": "footer", "counts": {}, "seconds": 1.0, "complete": True}
ROW = {
    "record": "outcome", "case": "plain", "theme": "small", "backend": "lib", "version": "1", "dtype": "float32",
    "layout": "contiguous", "op": "softmax", "reduction": "none", "check": "value", "verdict": "pass", "class": "A",
    "ulp": 0.5,
}  # fmt: skip


def run_of(
    folder: Path, *rows: dict[str, Any], version: str = "1", footer: bool = True, backends: tuple[str, ...] = ("lib",)
) -> Path:
    heads = [HEADER]
    for name in backends:
        heads.append({"record": "backend", "name": name, "framework": "lib", "versions": {"lib": version}})
    lines = [*heads, *({**ROW, **row} for row in rows), *([FOOTER] if footer else [])]
    write(folder / "outcomes.jsonl", "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return folder


def test_the_same_run_twice_has_no_difference(conformance: Run, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old", {}, {"check": "gradient"})
    ran = conformance("diff", old, old, "--format", "json")
    assert ran.code == 0
    assert ran.json["compared"] == 2
    for name in ("regressions", "improvements", "other", "accuracy", "environment", "incomparable", "new_cases"):
        assert not ran.json[name], name


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": "failed", "verdict": "known"}, "pass → known (failed)"),
        ({"reason": "raised"}, "pass → pass (raised)"),
        ({"check": "process", "verdict": "unreproduced", "reason": "not-again"}, "not there → unreproduced"),
    ],
)
def test_two_runs_of_the_same_can_be_held_to_the_same_outcomes(
    conformance: Run, tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    sound = {"case": "sound"}
    old, same = run_of(tmp_path / "old", sound, {}), run_of(tmp_path / "same", {"ulp": 0.25}, sound)
    new = run_of(tmp_path / "new", sound, {**({} if "check" not in changed else {"case": "other"}), **changed})
    ran = conformance("diff", old, same, "--exact")
    assert ran.code == 0 and "not the same" not in ran.out
    ran = conformance("diff", old, new, "--exact")
    assert ran.code == 1 and "not the same in both" in ran.out and said in ran.out


@pytest.mark.parametrize(
    ("before", "after", "where", "code"),
    [
        ("pass", "fail", "regressions", 1),
        ("deviation", "crash", "regressions", 1),
        ("known", "timeout", "regressions", 1),
        ("pass", "error", "regressions", 1),
        ("pass", "known", "regressions", 1),
        ("unsupported", "fail", "regressions", 1),
        ("fail", "pass", "improvements", 0),
        ("known", "pass", "improvements", 0),
        ("pass", "unsupported", "other", 0),
        ("fail", "crash", "other", 0),
        ("fail", "known", "other", 0),
    ],
)
def test_a_change_of_verdict(conformance: Run, tmp_path: Path, before: str, after: str, where: str, code: int) -> None:
    old, new = run_of(tmp_path / "old", {"verdict": before}), run_of(tmp_path / "new", {"verdict": after})
    ran = conformance("diff", old, new, "--format", "json")
    assert ran.code == code
    (change,) = ran.json[where]
    assert (change["case"], change["old"], change["new"]) == ("plain", before, after)
    count = "1 regression," if where == "regressions" else "0 regressions,"
    assert count in conformance("diff", old, new).out.splitlines()[0]


def test_class_and_error_are_reported_beyond_the_threshold(conformance: Run, tmp_path: Path) -> None:
    rows = [{"case": "little", "ulp": 0.6}, {"case": "much", "ulp": 2.0}, {"case": "other", "ulp": 9.0, "class": "B"}]
    old = run_of(tmp_path / "old", *rows)
    rows[0]["ulp"], rows[1]["ulp"], rows[2]["class"] = 0.9, 4.5, "A"
    new = run_of(tmp_path / "new", *rows)
    found = conformance("diff", old, new, "--format", "json").json["accuracy"]
    assert [(each["case"], each["worse"]) for each in found] == [("much", True), ("other", False)]
    assert not conformance("diff", old, new, "--format", "json", "--factor", "10").json["accuracy"][1:]


def test_what_only_one_run_holds_is_said(conformance: Run, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old", {"case": "gone"}, {}, {"dtype": "float64"}, backends=("lib", "extra"))
    new = run_of(tmp_path / "new", {"case": "fresh", "verdict": "fail"}, {}, version="2")
    ran = conformance("diff", old, new)
    assert ran.code == 0
    for part in ("lib | 1: fresh", "lib | 1: gone", "float64 only in the old run", "extra is only in the old run",
                 "lib: lib | 1 → 2", "Failures of checks that only the new run made (1)"):  # fmt: skip
        assert part in ran.out, part


def test_a_truncated_run_reports_nothing_as_gone_and_is_a_regression(conformance: Run, tmp_path: Path) -> None:
    old, new = run_of(tmp_path / "old", {}, {"case": "later"}), run_of(tmp_path / "new", {}, footer=False)
    ran = conformance("diff", old, new)
    assert ran.code == 1
    assert "the new run is truncated" in ran.out and "cut off" in ran.out and "Gone cases" not in ran.out
    assert conformance("diff", new, new).code == 0


def test_runs_without_a_common_check_cannot_be_compared(conformance: Run, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old", {})
    new = run_of(tmp_path / "new", {"backend": "other"}, backends=("other",))
    ran = conformance("diff", old, new)
    assert ran.code == 2 and "no check in common" in ran.err and not ran.out


def test_every_policy_of_a_case_is_compared(conformance: Run, tmp_path: Path) -> None:
    def asked(verdict: str) -> list[dict[str, str]]:
        names = {"label-out-of-range/above": verdict, "gradient-of-bad-label/above": "pass"}
        return [{"check": "policy", "policy": name, "verdict": each} for name, each in names.items()]

    old, new = run_of(tmp_path / "old", *asked("pass")), run_of(tmp_path / "new", *asked("fail"))
    ran = conformance("diff", old, new, "--format", "json")
    assert ran.code == 1 and ran.json["compared"] == 2
    assert [each["check"] for each in ran.json["regressions"]] == ["policy label-out-of-range/above"]


def test_a_results_file_may_be_spaced_as_json_may(conformance: Run, tmp_path: Path) -> None:
    old, new = run_of(tmp_path / "old", {}), run_of(tmp_path / "new", {"verdict": "fail"})
    file = new / "outcomes.jsonl"
    lines = [json.dumps(json.loads(line)) for line in file.read_text().splitlines()]
    file.write_text("\n".join(lines) + "\n")
    assert conformance("diff", old, new).code == 1
    assert "1 fail" in conformance("report", new, "--output", tmp_path / "site").out


def test_a_backend_that_no_longer_starts_is_a_regression(conformance: Run, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old", {})
    new = run_of(tmp_path / "new", backends=())
    record = {"record": "backend", "name": "lib", "error": "cannot be imported"}
    file = new / "outcomes.jsonl"
    file.write_text(file.read_text().replace('{"record":"footer"', json.dumps(record) + '\n{"record":"footer"'))
    ran = conformance("diff", old, new)
    assert ran.code == 1 and "cannot be imported" in ran.out


def test_semantics_cells_are_kept_apart(conformance: Run, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old", {"check": "policy", "message": "nan"})
    new = run_of(tmp_path / "new", {"check": "policy", "message": "zero"})
    ran = conformance("diff", old, new)
    assert ran.code == 0 and "Semantics (1)" in ran.out and "nan → zero" in ran.out


def test_the_same_observation_in_a_file_of_the_former_schema_is_not_a_change(conformance: Run, tmp_path: Path) -> None:
    asked = {"check": "policy", "policy": "plus-infinity", "class": None, "ulp": None}
    old = run_of(tmp_path / "old", {**asked, "message": "observed as declared: nan"})
    new = run(
        tmp_path / "new",
        [
            outcome(
                ROW["case"],
                ROW["backend"],
                op=ROW["op"],
                reduction=ROW["reduction"],
                check="policy",
                policy="plus-infinity",
                reason="policy-as-declared",
                observed=["nan"],
                expected="nan",
            )
        ],
    )
    ran = conformance("diff", old, new)
    assert ran.code == 0 and "1 check is in both" in ran.out and "Semantics" not in ran.out


def test_other_words_for_what_is_not_offered_are_not_semantics(conformance: Run, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old", {"check": "policy", "verdict": "unsupported", "message": "no weight"})
    new = run_of(tmp_path / "new", {"check": "policy", "verdict": "unsupported", "message": "there is no weight"})
    ran = conformance("diff", old, new)
    assert ran.code == 0 and "Semantics" not in ran.out


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_hostile_text_changes_nothing(conformance: Run, tmp_path: Path, style: str) -> None:
    evil = "a | <b> \x1b[31m\n# h [x](y) `"
    old = run_of(tmp_path / "old", {"case": evil})
    new = run_of(tmp_path / "new", {"case": evil, "verdict": "fail", "message": evil})
    ran = conformance("diff", old, new, "--format", style)
    assert ran.code == 1 and "\x1b" not in ran.out
    if style == "markdown":
        (row,) = [line for line in ran.out.splitlines() if "fail |" in line]
        assert row.replace("\\|", "").count("|") == 11 and "<b>" not in row.replace("\\<", "")
        assert not any(line.startswith("# h") for line in ran.out.splitlines())


def test_a_backend_that_did_not_start_before_is_named(conformance: Run, tmp_path: Path) -> None:
    failed = {**HEADER, "started": "2026-01-02T00:00:00+00:00"}
    error = {"record": "backend", "name": "lib", "error": "cannot be imported"}
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (failed, error, FOOTER))
    write(tmp_path / "lost" / "outcomes.jsonl", text)
    new = run_of(tmp_path / "new", {"verdict": "fail"})
    ran = conformance("diff", tmp_path / "lost", new, "--format", "json")
    assert ran.code == 0 and ran.json["incomparable"] == ["lib did not start in the old run"]
    ran = conformance("diff", tmp_path / "lost", tmp_path / "lost", "--format", "json")
    assert ran.code == 0 and ran.json["incomparable"] == ["lib did not start in either run"]


def test_a_damaged_line_is_named(conformance: Run, tmp_path: Path) -> None:
    old, new = run_of(tmp_path / "old", {}), run_of(tmp_path / "new", {})
    file = new / "outcomes.jsonl"
    file.write_text(file.read_text().replace('"dtype":"float32"', '"dtype":5'))
    ran = conformance("diff", old, new)
    assert ran.code == 2 and "outcomes.jsonl:3" in ran.err and "hint:" in ran.err


@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_a_regression_of_time_alone_is_in_every_formats_verdict(conformance: Run, tmp_path: Path, style: str) -> None:
    """The exit code, the mark in the headline and ``regressed`` in JSON say the same."""
    for name, factor, seed in (("old", 1.0, 1), ("new", 3.0, 2)):
        synthetic.write(run_of(tmp_path / name, {}), seed=seed, slower={"torch": factor}, workloads={"w": (64, 1000)})
    ran = conformance("diff", tmp_path / "old", tmp_path / "new", "--format", style)
    assert ran.code == 1
    if style == "json":
        assert ran.json["regressed"] and not ran.json["regressions"]
    else:
        assert "2 regressions of time" in ran.out.splitlines()[0] and "✅" not in ran.out
    alone = conformance("diff", *(tmp_path / name / "benchmarks.json" for name in ("old", "new")), "--format", "json")
    assert alone.code == 1 and alone.json["regressed"]


def test_times_that_one_run_lacks_are_said_to_be_missing(conformance: Run, tmp_path: Path) -> None:
    old, new = run_of(tmp_path / "old", {}), run_of(tmp_path / "new", {})
    synthetic.write(old, workloads={"w": (64, 1000)})
    assert conformance("diff", old, new, "--format", "json").json["incomparable"] == ["times are only in the old run"]

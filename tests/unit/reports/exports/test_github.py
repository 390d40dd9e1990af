"""Job summary, annotations and badges."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.model.backend import BackendRecord
from conformance.model.outcome import Outcome
from conformance.reports.exports.summary import LIMIT, job_summary
from conformance.schemas.registry import schema
from tests.support.exports import HOSTILE, hostile, of_every_verdict, outcome, report, write_run
from tests.support.outcomes import saying

pytestmark = pytest.mark.slow

CASES = """\
theme: some-theme
cases:
  - id: first
    why: w
    op: softmax
    logits: [1.0]
  - id: second
    why: w
    op: softmax
    logits: [1.0]
"""


class TestSummary:
    def test_it_says_who_fails_and_where(self, tmp_path: Path) -> None:
        made = [outcome(), outcome(backend="other", verdict="pass"), outcome(check="gradient")]
        write_run(tmp_path / "run", made)
        file = tmp_path / "summary.md"
        file.write_text("# before\n", encoding="utf-8")
        report(tmp_path / "run", tmp_path, "--summary", file)
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# before\n## Cross-entropy") and "**Not conforming**: some 1.2." in text
        assert "| fail | some-case | some 1.2 | 2 | 0 instead of 1 |" in text
        assert "| **all** | 1 pass | **2 fail** |" in text

    def test_a_run_without_findings(self, tmp_path: Path) -> None:
        gone = BackendRecord(name="gone", error="no such module")
        text = job_summary(write_run(tmp_path / "run", [outcome(verdict="known")], backends=[gone]))
        assert "Every backend that ran conforms" in text and "**gone did not run**: no such module" in text

    def test_hostile_text_stays_text(self, tmp_path: Path) -> None:
        text = job_summary(write_run(tmp_path / "run", hostile()))
        assert "<script>" not in text and "\x1b" not in text and "\n# title" not in text and "![x]" not in text
        columns = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}
        assert columns == {7, len(HOSTILE) + 2}

    def test_it_stays_below_the_limit(self, tmp_path: Path) -> None:
        many = [outcome(case=f"case-{n}", theme=f"theme-{n}-{'x' * 300}", detail="é" * 3000) for n in range(3000)]
        merged = write_run(tmp_path / "run", many)
        whole = job_summary(merged)
        cut = job_summary(merged, 5000)
        assert len(whole.encode()) <= LIMIT and len(cut.encode()) <= 5000 and "cut here" in cut
        assert job_summary(merged, -1) == ""


class TestAnnotations:
    def lines(self, capfd: pytest.CaptureFixture[str]) -> list[str]:
        return [line for line in capfd.readouterr().out.splitlines() if line.startswith("::")]

    def test_they_point_at_the_case(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "my cases").mkdir()
        (tmp_path / "my cases" / "a,b.yaml").write_text(CASES, encoding="utf-8")
        write_run(tmp_path / "run", [outcome(case="second"), outcome(case="second"), outcome(case="unknown")])
        report(tmp_path / "run", tmp_path, "--annotations", "--cases", "my cases")
        unknown = "title=fail%3A unknown on some 1.2"
        place = "file=my cases/a%2Cb.yaml,line=7,title=fail%3A second on some 1.2"
        check = "first cross_entropy float32 value)%0Aconformance explain"
        assert self.lines(capfd) == [
            f"::error {place}::0 instead of 1 (2 checks, {check} second -b some --dtype float32",
            f"::error {unknown}::0 instead of 1 (1 check, {check} unknown -b some --dtype float32",
        ]

    def test_there_are_few_and_the_worst_come_first(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        many = [outcome(case=f"case-{n:03}") for n in range(50)]
        write_run(tmp_path / "run", [*many, outcome(case="zzz", verdict="crash")])
        report(tmp_path / "run", tmp_path, "--annotations")
        lines = self.lines(capfd)
        assert len(lines) == 11 and "crash%3A zzz" in lines[0] and "41 cases more" in lines[-1]

    def test_a_message_of_several_lines_is_prose(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        write_run(tmp_path / "run", [outcome(**saying("expected (2,)\n  but got (3,)"))])
        report(tmp_path / "run", tmp_path, "--annotations")
        (line,) = self.lines(capfd)
        assert "::expected (2,)   but got (3,) (1 check, first " in line

    def test_hostile_text_gives_no_other_command(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        write_run(tmp_path / "run", hostile())
        report(tmp_path / "run", tmp_path, "--annotations")
        lines = self.lines(capfd)
        assert len(lines) == 11 and all(line.startswith(("::error title=", "::notice ")) for line in lines)
        assert not [line for line in lines if line.partition(" title=")[2].count("::") > 1 and "%3A" not in line]
        assert any("100%250A" in line for line in lines)


class TestBadge:
    def badges(self, folder: Path) -> dict[str, Any]:
        found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())}
        for each in found.values():
            jsonschema.validate(each, schema("badge"))
        return found

    @pytest.mark.parametrize(
        ("verdicts", "message", "colour"),
        [
            (["pass", "pass", "deviation"], "3 right", "brightgreen"),
            (["pass", "known"], "1 right, 1 known", "yellow"),
            (["pass", "fail", "stale", "known"], "1 fail, 1 stale", "red"),
            (["crash", "timeout", "error"], "1 crash, 1 timeout", "red"),
            (["pass", "error"], "1 errors of the harness", "lightgrey"),
            (["unsupported", "not run"], "nothing checked", "lightgrey"),
        ],
    )
    def test_what_it_says(self, tmp_path: Path, verdicts: list[str], message: str, colour: str) -> None:
        write_run(tmp_path / "run", [outcome(verdict=verdict) for verdict in verdicts])
        report(tmp_path / "run", tmp_path, "--badge", tmp_path / "badges")
        assert self.badges(tmp_path / "badges") == {
            "some.json": {
                "schemaVersion": 1, "label": "cross-entropy · some 1.2", "message": message, "color": colour,
                "isError": colour == "red",
            }
        }  # fmt: skip

    def test_a_backend_that_did_not_run_or_not_to_the_end(self, tmp_path: Path) -> None:
        gone = BackendRecord(name="gone", error="no such module")
        write_run(tmp_path / "run", [outcome(verdict="pass")], complete=False, backends=[gone])
        report(tmp_path / "run", tmp_path, "--badge", tmp_path / "badges")
        found = self.badges(tmp_path / "badges")
        assert {each["color"] for each in found.values()} == {"lightgrey"}
        assert found["gone.json"]["message"] == "did not run" and "incomplete" in found["some.json"]["message"]

    def test_of_several_versions_the_newest_release_speaks(self, tmp_path: Path) -> None:
        for n, version in enumerate(("1.9", "1.10", "2.0rc1")):
            write_run(tmp_path / "runs" / str(n), [outcome(verdict="pass")], version=version)
        report(tmp_path / "runs", tmp_path, "--badge", tmp_path / "badges")
        found = self.badges(tmp_path / "badges")
        assert [*found] == ["some-1.10.json", "some-1.9.json", "some-2.0rc1.json", "some.json"]
        assert found["some.json"]["label"].endswith("some 1.10")

    def test_names_of_files_are_safe(self, tmp_path: Path) -> None:
        made: list[Outcome] = [*hostile(), outcome(backend="../../up"), outcome(backend="up")]
        write_run(tmp_path / "run", [*made, *of_every_verdict()])
        report(tmp_path / "run", tmp_path, "--badge", tmp_path / "deep" / "badges")
        found = self.badges(tmp_path / "deep" / "badges")
        assert len(found) == len(HOSTILE) + 3 and found["up.json"]["label"].endswith("· up 1.2")
        assert sum(re.fullmatch(r"up-[0-9a-f]{8}\.json", name) is not None for name in found) == 1


@pytest.mark.parametrize("option", ["--junit", "--csv", "--parquet", "--summary", "--badge"])
def test_a_place_that_cannot_be_written(tmp_path: Path, option: str, capfd: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "run", [outcome()])
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert report(tmp_path / "run", tmp_path, option, tmp_path / "file" / "below") == 2
    assert "is not a folder" in capfd.readouterr().err

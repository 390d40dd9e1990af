"""The page of a case: its numbers, derivation, source and scripts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from conformance.model.outcome import DefectRef
from conformance.reports.site.catalogue import Catalogue
from conformance.repro.script import Reproducer
from tests.support.outcomes import outcome, run
from tests.support.site.pages import Page, page, site


def test_a_page_shows_case_derivation_source_and_reproducer(tmp_path: Path) -> None:
    rows = [
        outcome(
            "two-equal-logits-at-1e8", verdict="fail", observed=0.0, expected=0.6931471805599453, reason="beyond-bound"
        )
    ]
    made = site(
        tmp_path,
        run(tmp_path / "r", rows),
        reproduce=lambda entry, found, made: Reproducer(f"# {entry.case.id}\n{made.sources[found.op].text}"),
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


def test_a_random_case_is_shown_as_a_case_file_would_have_it(tmp_path: Path) -> None:
    rows = [outcome("random.7.0", theme="random", op="log_softmax", dtype="bfloat16", reduction="", observed=0.5)]
    made = site(tmp_path, run(tmp_path / "r", rows))
    text = page(made, "cases/random.7.0.html").text
    assert "- id: random.7.0\n  why: a random case\n  op: log_softmax\n" in text
    assert "This checkout has no case of that id" not in text and "the id holds the seed" in text


def test_the_first_lines_of_a_long_random_case_are_shown() -> None:
    lines = Catalogue().yaml("random.7.5").splitlines()
    assert len(lines) == 41 and re.fullmatch(r"# … and \d+ more lines", lines[-1])


@pytest.mark.parametrize(
    ("script", "needs"),
    [
        (Reproducer("import numpy as np"), "needs one alone"),
        (Reproducer("import numpy as np", needs_ml_dtypes=True), "needs one and ml_dtypes"),
        (Reproducer("from conformance.backends import x", needs_suite=True), "needs one and this suite"),
        (Reproducer('"""\nfrom conformance\nimport ml_dtypes\n"""'), "needs one alone"),
    ],
)
def test_the_caption_of_a_script_says_what_it_needs(tmp_path: Path, script: Reproducer, needs: str) -> None:
    rows = [outcome("two-equal-logits-at-1e8", verdict="fail", observed=0.0, expected=0.7, reason="beyond-bound")]
    made = site(tmp_path, run(tmp_path / "r", rows), reproduce=lambda *_: script)
    text = page(made, "cases/two-equal-logits-at-1e8.html").text
    assert f"Reproducer: {needs}" in text, re.findall(r"Reproducer.*", text)


def test_a_defect_of_many_cases_is_scripted_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.reports.site.reproducer.MOST", 3)
    asked: list[str] = []

    def reproduce(entry: Any, found: Any, *_: Any) -> Reproducer:
        asked.append(entry.case.id)
        return Reproducer(f"# {entry.case.id}")

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

"""What is published is what its file says, by the report as it is now; the README shows the newest flagship."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import report
from conformance.places import ROOT
from conformance.reports.benchmarks.cells import cells_of
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.report import pictures
from conformance.reports.benchmarks.tables import report_markdown

pytestmark = pytest.mark.slow

PUBLISHED = sorted((ROOT / "reports/published").glob("*/benchmarks.json.gz"))


@pytest.mark.parametrize("path", PUBLISHED, ids=[path.parent.name for path in PUBLISHED])
def test_the_published_report_is_that_of_its_file(path: Path) -> None:
    run = parse_benchmarks(gzip.decompress(path.read_bytes()), path)
    drawn = pictures(run)
    shown = [(each.description, f"benchmarks/{each.name}.svg") for each in drawn]
    assert (path.parent / "benchmarks.md").read_text(encoding="utf-8") == report_markdown(run, cells_of(run), shown)
    assert {file.name for file in (path.parent / "benchmarks").iterdir()} == {f"{each.name}.svg" for each in drawn}
    for each in drawn:
        text = (path.parent / f"benchmarks/{each.name}.svg").read_text(encoding="utf-8")
        title = each.chart.to_dict()["title"]
        for line in (title["text"], *title["subtitle"]):
            assert line.replace("\u00a0", " ") in text


def test_the_readme_shows_the_flagship_of_the_newest_published_run() -> None:
    svg = (PUBLISHED[-1].parent / "benchmarks/accuracy.svg").read_text(encoding="utf-8")
    size = tuple(2 * int(each) for each in re.findall(r'(?:width|height)="(\d+)"', svg)[:2])
    image = (ROOT / "docs/images/flagship.png").read_bytes()
    assert struct.unpack(">II", image[16:24]) == size
    assert "docs/images/flagship.png" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_report_verb_takes_a_published_run_as_it_is(tmp_path: Path) -> None:
    ran = CliRunner().invoke(report.command, [str(PUBLISHED[-1].parent), "--output", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert (
        "classification-4096x1000" in ran.stdout
        and "classification-4096x1000" in (tmp_path / "benchmarks.html").read_text()
    )

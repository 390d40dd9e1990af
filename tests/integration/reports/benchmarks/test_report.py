"""Tables, pages and terminal: the digits that count, and proof against hostile names."""

from __future__ import annotations

import html
import html.parser
import io
import json
import re

import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.bench.container import write
from conformance.cli import diff
from conformance.model.errors import UsageError
from conformance.reports.benchmarks.cells import cells_of
from conformance.reports.benchmarks.comparison.band import DeadBand, write_band
from conformance.reports.benchmarks.comparison.compare import compare_benchmarks
from conformance.reports.benchmarks.comparison.render import changes_markdown, print_changes
from conformance.reports.benchmarks.read import read_benchmarks
from conformance.reports.benchmarks.report import pictures, print_benchmarks, write_benchmark_report
from conformance.reports.benchmarks.tables import HEAD, about_lines, not_timed_lines, report_markdown, tables_of
from tests.support import benchmarks as synthetic
from tests.support.benchmarks import columns, parsed, printed, small

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script>|`x`\n\x1b[31m\"'*_[a](b)$x$</figure>"


def test_pages_that_a_call_touches_anew_are_counted_and_a_class_stands_beside_the_declared_one():
    whole = small(minor_faults=1000, calls=40)
    whole["benchmarks"][0]["extra_info"]["accuracy"] |= {"class": "A", "declared": "B", "verdict": "pass"}
    row = columns(parsed(whole), whole["benchmarks"][0]["extra_info"]["backend"])
    assert (row["faults"], row["class"]) == ("25", "A of B")


def test_the_range_of_the_peak_bandwidth_is_shown():
    whole = small()
    whole["conformance"]["peak_bandwidth"] = {"2": {"1048576": {"read": 60e9, "copy": 50e9, "exp": 1e9}}}
    whole["conformance"]["peak_bandwidth_range"] = {"2": {"1048576": {"read": [40e9, 80e9], "copy": [50e9, 50e9]}}}
    assert "read 60.0 GB/s (40.0 … 80.0), copy 50.0 GB/s, exp 1.0 GB/s." in " ".join(about_lines(parsed(whole)))


def test_a_wide_terminal_shows_bytes_a_second_and_the_interval(tmp_path):
    (tmp_path / "benchmarks.json").write_text(json.dumps(small(bytes_per_second=12.34e6)))
    out = io.StringIO()
    print_benchmarks(tmp_path, console=Console(file=out, width=120, force_terminal=False))
    assert "GB/s" in out.getvalue() and "% interval" in out.getvalue() and "0.0123" in out.getvalue()
    assert "GB/s  " not in printed(print_benchmarks, tmp_path).partition("Machine")[0]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    options = {"workloads": {"w": (64, 1000)}, "contracts": {"forward": 1.0}, "rounds": 3}
    return folder, write_benchmark_report(synthetic.write(folder / "run", **options), folder / "report")


def test_the_report_is_text_pictures_and_a_page(written):
    folder, paths = written
    names = {path.relative_to(folder / "report").as_posix() for path in paths}
    assert {"benchmarks.md", "benchmarks.html", "benchmarks/accuracy.png", "benchmarks/accuracy.svg"} <= names
    assert all(path.stat().st_size > 500 for path in paths)
    assert (folder / "report/benchmarks/accuracy.png").read_bytes().startswith(b"\x89PNG")
    text = (folder / "report/benchmarks.md").read_text()
    assert all((folder / "report" / name).is_file() for name in re.findall(r"\]\((\S+?)\)", text))


def test_the_page_asks_nothing_of_the_network(written):
    found = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for name, value in attrs if name in ("src", "href"))

    Parser().feed((written[0] / "report/benchmarks.html").read_text())
    assert found == []


def test_a_row_shows_speed_in_bytes_and_in_shares_with_the_digits_that_count():
    whole = small(bytes_per_second=12.34e6, bandwidth_fraction=4e-6, peak_multiple=12.0, device="cuda")
    whole["benchmarks"][0]["stats"]["data"] = [0.5]
    row = columns(run := parsed(whole), backend := whole["benchmarks"][0]["extra_info"]["backend"])
    assert (row["GB/s"], row["of peak"], row["memory ÷ logits"]) == ("0.0123", "<0.01 %", "12.0")
    assert row["time"] == "500 ms" and row["processes"] == "1" and row["mode"].endswith(", cuda")
    shown = report_markdown(run, cells_of(run), [])
    assert f"| {backend.replace('_', chr(92) + '_')} |" in shown and "| 0.0123 | <0.01 % |".replace("<", "\\<") in shown


def test_a_call_that_opens_its_process_is_marked_and_the_mark_explained(tmp_path):
    whole = small()
    for place, entry in enumerate(whole["benchmarks"]):
        entry["extra_info"]["order"] = place
    (tmp_path / "benchmarks.json").write_text(json.dumps(whole))
    assert columns(parsed(whole), "torch")["first call"].endswith(" †")
    for text in (printed(print_benchmarks, tmp_path), report_markdown(parsed(whole), cells_of(parsed(whole)), [])):
        assert "†: the very first call of its process" in text


def test_names_and_numbers_of_the_frameworks_stand_on_one_line_in_eighty_columns(tmp_path):
    whole = small(peak_multiple=0.00175, first_call_seconds=0.0432)
    for entry in whole["benchmarks"]:
        entry["extra_info"]["accuracy"]["ratio"] = 0.000175
    (tmp_path / "benchmarks.json").write_text(json.dumps(whole))
    lines = printed(print_benchmarks, tmp_path).splitlines()
    assert any("tensorflow:graph" in line and "0.000175" in line and "0.00175" in line for line in lines)


def test_what_was_not_timed_is_sorted_by_workload():
    whole = small()
    for workload, backend in (("w", "torch"), ("v", "numpy"), ("w", "jax")):
        info = whole["benchmarks"][0]["extra_info"] | {"workload": workload, "backend": backend}
        whole["not_timed"] += [info | {"status": "unsupported", "message": "cannot"}] * 2
    shown = not_timed_lines(parsed(whole))
    assert [line.partition(",")[0] for line in shown] == ["v [numpy", "w [jax", "w [torch"]


def test_the_page_holds_the_numbers_of_the_tables_and_says_what_each_picture_shows(written):
    folder, _ = written
    text = (folder / "report/benchmarks.html").read_text()
    run = read_benchmarks(folder / "run")
    for table in tables_of(cells_of(run)):
        for name, *texts in table.rows:
            assert all(f">{html.escape(each)}<" in text for each in (name.content, *texts))
    labels = re.findall(r'role="img" aria-label="([^"]*)"', text)
    assert len(labels) == len(pictures(run)) and all("Measured on Example CPU" in each for each in labels)
    assert text.count("<main>") == 1 and "Machine: Example CPU" in text and "How to read this" in text


def test_hostile_names_change_neither_page_nor_table_nor_terminal(tmp_path):
    facts = synthetic.BACKENDS["numpy"]
    options = {"backends": {HOSTILE: (HOSTILE, HOSTILE, *facts[2:])}, "workloads": {HOSTILE: (4, 8)}, "rounds": 2}
    run = synthetic.write(tmp_path / "run", machine=HOSTILE, **options)
    paths = write_benchmark_report(run, tmp_path / "report")
    assert all(tmp_path / "report" in path.parents for path in paths)
    page = (tmp_path / "report/benchmarks.html").read_text()
    assert "<script>alert" not in page and page.count("</figure>") == len(pictures(read_benchmarks(run)))
    text = (tmp_path / "report/benchmarks.md").read_text()
    assert "\x1b" not in text and not re.search(r"(?<!\\)[<$]", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {len(HEAD) + 1}
    assert "\x1b" not in printed(print_benchmarks, run)


def test_a_run_without_times_is_said_to_have_none(tmp_path):
    with pytest.raises(UsageError, match="no times"):
        write_benchmark_report(synthetic.write(tmp_path / "run", backends={}), tmp_path)


def test_nothing_is_written_behind_a_link_beside_the_file(tmp_path):
    run = synthetic.write(tmp_path / "run", workloads={"w": (4, 8)}, rounds=2)
    for name in ("benchmarks", "page"):
        (tmp_path / name).mkdir()
    precious = tmp_path / "page" / "precious"
    precious.write_text("precious", encoding="utf-8")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "benchmarks").symlink_to(tmp_path / "benchmarks", target_is_directory=True)
    with pytest.raises(UsageError, match="benchmarks is a link to another folder"):
        write_benchmark_report(run, tmp_path / "one")
    assert not [*(tmp_path / "benchmarks").iterdir()]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "benchmarks.md").symlink_to(precious)
    write_benchmark_report(run, tmp_path / "two")
    (tmp_path / "two" / "benchmarks.part").symlink_to(precious)
    write(tmp_path / "two", {})
    assert precious.read_text(encoding="utf-8") == "precious" and not (tmp_path / "two" / "benchmarks.md").is_symlink()


def test_a_comparison_is_shown_with_its_band_in_both_renderings():
    options = {"workloads": {"v": (64, 1000), "w": (4096, 1000)}}
    run, slow = (synthetic.benchmarks(seed=n, slower={"torch": x}, **options) for n, x in ((1, 1.0), (2, 1.4)))
    comparison = compare_benchmarks(run, slow, DeadBand(width=0.05, comparisons=40, false_calls=1))
    terminal, text = printed(print_changes, comparison), changes_markdown(comparison)
    for rendered in (" ".join(terminal.split()), text.replace("\\", "")):
        assert "1 of 40" in rendered and "±5.0%" in rendered and "Holm" in rendered
    assert text.count("**slower") == sum(row.call == "slower" for row in comparison.rows) >= 4
    assert len([line for line in text.splitlines() if line.startswith("|")]) == len(comparison.rows) + 2


def test_two_benchmark_runs_are_compared_by_the_diff_verb(tmp_path):
    options = {"workloads": {"v": (64, 1000), "w": (4096, 1000)}}
    old = synthetic.write(tmp_path / "old", seed=1, **options)
    new = synthetic.write(tmp_path / "new", seed=2, slower={"torch": 1.4}, **options)
    write_band(DeadBand(width=0.05, comparisons=40, false_calls=1), tmp_path / "band.json")
    band = ["--band", str(tmp_path / "band.json")]
    runner = CliRunner()
    shown = runner.invoke(diff.command, [str(old), str(new), *band], standalone_mode=False)
    assert shown.return_value == 1
    assert shown.stdout.count("slower: w [torch, ") == 2 and "1 of 40" in shown.stdout
    document = json.loads(runner.invoke(diff.command, [str(old), str(new), *band, "--format", "json"]).stdout)
    assert {row["backend"] for row in document["speed"]["rows"] if row["call"] == "slower"} == {"torch"}
    assert runner.invoke(diff.command, [str(old), str(old), *band], standalone_mode=False).return_value == 0
    text = runner.invoke(diff.command, [str(old), str(new), *band, "--format", "markdown"]).stdout
    assert "**slower" in text

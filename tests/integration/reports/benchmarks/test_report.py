"""Pictures and reports: valid, legible, without a rank for what fails, and proof against hostile names."""

from __future__ import annotations

import html
import html.parser
import io
import json
import re

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.bench.record import ResultAccuracy
from conformance.cli import diff
from conformance.model.errors import UsageError
from conformance.reports.benchmarks.cells import cells_of, flagship, places, ranked
from conformance.reports.benchmarks.charts.scatter import accuracy_chart
from conformance.reports.benchmarks.charts.style import Look
from conformance.reports.benchmarks.comparison.band import DeadBand, write_band
from conformance.reports.benchmarks.comparison.compare import compare_runs
from conformance.reports.benchmarks.comparison.render import changes_markdown, print_changes
from conformance.reports.benchmarks.read import parse_benchmarks, read_benchmarks
from conformance.reports.benchmarks.report import pictures, print_benchmarks, write_benchmark_report
from conformance.reports.benchmarks.tables import HEAD, about_lines, not_timed_lines, report_markdown, tables_of
from conformance.reports.benchmarks.units import seconds
from tests.support import benchmarks as synthetic

HOSTILE = "<script>alert(1)</script>|`x`\n\x1b[31m\"'*_[a](b)$x$</figure>"


def printed(function, *arguments, **options) -> str:
    out = io.StringIO()
    function(*arguments, console=Console(file=out, width=80, force_terminal=False), **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def run():
    return synthetic.benchmarks(seed=1)


@pytest.fixture(scope="module")
def drawn(run):
    return pictures(run)


def test_every_picture_is_valid_and_the_flagship_comes_first(drawn):
    assert [each.name for each in drawn][:3] == ["accuracy", "compile", "memory"]
    assert {each.name.rsplit("-", 1)[0] for each in drawn} > {"scaling-classes", "scaling-positions"}
    for each in drawn:
        spec = each.chart.to_dict(validate=True)
        assert spec["title"]["text"] and spec["title"]["subtitle"]


def subtitle(each):
    """A picture's lines below its title, as one text."""
    return " ".join(each.chart.to_dict()["title"]["subtitle"]).replace("\u00a0", " ")


def test_every_picture_tells_machine_threads_day_and_versions(drawn):
    for each in drawn:
        assert "Measured on Example CPU @ 2.0 GHz, 2 cores, 2 threads, 2026-03-01: " in subtitle(each)
        assert "numpy 1.2.3, optax 1.2.3" in subtitle(each)


def test_lines_below_a_title_leave_room_for_a_wider_font_of_the_readers(drawn):
    """The narrowest pictures are 690 pixels within their margins; DejaVu Sans is a sixth wider than Arial."""
    lines = [line for each in drawn for line in each.chart.to_dict()["title"]["subtitle"]]
    assert lines and max(len(line) for line in lines) * 6.25 * 7 / 6 <= 760


def rows(spec):
    """The data of all layers and panels of a specification."""
    found = list(spec["data"]["values"]) if isinstance(spec, dict) and "values" in spec.get("data", {}) else []
    inside = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else []
    return found + [row for each in inside for row in rows(each)]


def test_pictures_of_times_show_how_far_these_may_be_off(run, drawn):
    of = {(cell.workload, cell.contract, cell.backend): cell for cell in cells_of(run)}
    cell = of["lm-head-256x128256", "forward+grad", "jax"]
    specs = {each.name: each.chart.to_dict() for each in drawn}
    (found,) = [row for row in rows(specs["compile"]) if row.get("backend") == "jax"][:1]
    assert (found["low"], found["high"]) == (cell.low, cell.high)
    (found,) = [row for row in rows(specs["accuracy"]) if row.get("backend") == "jax"][:1]
    ends = [cell.bandwidth_fraction * cell.seconds / end for end in (cell.high, cell.low)]
    assert [found["low"], found["high"]] == pytest.approx(ends)
    for name, spec in specs.items():
        if name.startswith("scaling"):
            assert all(row["low"] < row["y"] < row["high"] for row in rows(spec))
    assert all("5 processes" in subtitle(each) or each.name == "memory" for each in drawn)


def test_a_picture_names_who_could_not_be_timed():
    whole = synthetic.document(workloads={"w": (64, 1000)}, rounds=2, replicates=1)
    infos = [entry["extra_info"] for entry in whole["benchmarks"]]
    whole["benchmarks"] = [each for each in whole["benchmarks"] if each["extra_info"]["backend"] != "optax"]
    whole["not_timed"] = [info | {"status": "crash"} for info in infos if info["backend"] == "optax"]
    shown = {each.name: subtitle(each) for each in pictures(parsed(whole))}
    both = ("Not timed (forward, crash): optax.", "Not timed (forward+grad, crash): optax.")
    assert all(line in shown["time-01-w"] and line in shown["memory"] for line in both)
    assert [line in shown["accuracy"] for line in both] == [line in shown["compile"] for line in both] == [False, True]
    assert "the rounds of one process" in shown["time-01-w"]


def test_backends_with_long_names_are_distinct_and_fit_the_picture():
    facts = ("mine", "eager", 1.0, 0.01, 7.5, 1.0)
    stem = "company/kernels/experimental/losses.py:"
    ends = ("FusedCrossEntropy", "ChunkedCrossEntropy", "A" * 40 + "1" + "B" * 40, "A" * 40 + "2" + "B" * 40)
    names = [stem + end for end in ends]
    options = {"workloads": {"w": (64, 1000)}, "contracts": {"forward": 1.0}, "rounds": 2, "replicates": 1}
    run = synthetic.benchmarks(backends=dict.fromkeys(names, facts), **options)
    spec = next(each.chart.to_dict() for each in pictures(run) if each.name == "time-01-w")
    bars = [row for row in rows(spec) if "backend" in row]
    assert len({row["name"] for row in bars}) == len(names) == len({row["backend"] for row in bars})
    assert all(len(row["name"]) <= 34 for row in bars)
    assert any(row["name"].endswith(":FusedCrossEntropy") for row in bars)


def test_the_flagship_has_a_mark_for_each_backend_of_the_workload_that_says_most(run):
    chosen = flagship(cells_of(run))
    assert {cell.backend for cell in chosen} == {*synthetic.BACKENDS}
    assert chosen[0].contract == "forward+grad" and chosen[0].workload == "lm-head-256x128256"


def test_what_fails_its_accuracy_class_has_no_rank_however_fast(run, drawn):
    group = ranked(
        [cell for cell in cells_of(run) if cell.workload == "lm-head-512x32000" and cell.contract == "forward"]
    )
    assert group[-1].backend == "tensorflow:xla"
    assert group[-1].seconds < group[-2].seconds
    spec = json.dumps([each.chart.to_dict() for each in drawn if each.name.endswith("lm-head-512x32000")])
    assert "1. " in spec and not re.search(r"\d\. tensorflow:xla", spec)
    assert "tensorflow:xla" in spec


def test_what_takes_less_time_than_its_memory_by_far_has_no_rank_and_no_mark():
    whole = small()
    swift = whole["benchmarks"][0]
    swift["extra_info"]["accuracy"]["verdict"] = "pass"
    swift["extra_info"]["bandwidth_fraction"] = 19.8
    name, found = swift["extra_info"]["backend"], parsed(whole)
    assert columns(found, name)["rank"] == "–" and columns(found, name)["class"].endswith("not computed anew")
    drawn = {each.name: json.dumps(each.chart.to_dict(), ensure_ascii=False) for each in pictures(found)}
    assert f"not computed anew, not drawn: {name}" in drawn["accuracy"]
    assert "not computed anew: not ranked" in drawn["time-01-w"]
    swift["extra_info"]["ignored"] = 0.9  # a kernel may leave such positions unread
    assert columns(parsed(whole), name)["rank"] != "–"


def test_a_duration_is_never_a_thousand_of_its_unit():
    assert [seconds(each) for each in (0.0009996, 0.000999, 0.99951, 1e-12)] == [
        "1.00 ms",
        "999 µs",
        "1.00 s",
        "0.00 ns",
    ]


def test_what_does_not_differ_for_certain_shares_a_rank():
    whole = small()
    cell = cells_of(parsed(whole))[0]
    verdicts = {True: ResultAccuracy(verdict="pass"), False: ResultAccuracy(verdict="fail")}
    cells = [
        msgspec.structs.replace(cell, backend=name, seconds=mid, low=low, high=high, accuracy=verdicts[fit])
        for name, low, mid, high, fit in [
            ("a", 1.0, 1.1, 1.2, True), ("b", 1.3, 1.5, 1.7, True), ("c", 1.1, 1.6, 4.0, True),
            ("d", 1.8, 1.9, 2.0, True), ("e", 5.0, 5.1, 5.2, True), ("f", 0.1, 0.2, 0.3, False),
        ]
    ]  # fmt: skip
    assert [(rank, cell.backend) for rank, cell in places(cells)] == [
        (1, "a"), (1, "b"), (1, "c"), (3, "d"), (5, "e"), (None, "f"),
    ]  # fmt: skip


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


def test_the_first_call_is_that_of_the_process_which_had_everything_to_compile():
    document = synthetic.document(replicates=5)
    for entry in document["benchmarks"]:
        info = entry["extra_info"]
        fresh = info["replicate"] == 0
        info |= {"compile_cache": "fresh" if fresh else "kept", "first_call_seconds": 14.0 if fresh else 0.04}
    cells = cells_of(parse_benchmarks(json.dumps(document).encode(), "kept.json"))
    assert cells and {cell.first_call_seconds for cell in cells} == {14.0}


def test_warm_and_cold_share_the_first_call_of_the_process_that_compiles_for_both():
    document = synthetic.document(workloads={"v": (8, 8), "w": (8, 8)}, contracts={"forward": 1.0}, replicates=1)
    warm = [entry["extra_info"] for entry in document["benchmarks"]]
    for info in warm:
        late = info["workload"] == "w"
        info |= {"order": 2 if late else 0, "first_call_seconds": 0.008 if late else 14.0, "compile_cache": "fresh"}
    for entry in json.loads(json.dumps(document["benchmarks"])):
        entry["extra_info"] |= {"cache": "cold", "order": 1, "first_call_seconds": 0.8}
        if entry["extra_info"]["workload"] == "w":
            document["benchmarks"].append(entry)
    cells = cells_of(parse_benchmarks(json.dumps(document).encode(), "both.json"))
    assert {(cell.workload, cell.cache, cell.first_call_seconds, cell.opens) for cell in cells} == {
        ("v", "warm", 14.0, True),  # and it loaded the compiler, which the report says
        ("w", "warm", 0.8, False),
        ("w", "cold", 0.8, False),
    }


def test_a_time_is_the_plain_median_of_the_plain_medians():
    """Also of an even number, where the two in the middle lie far apart: as pytest-benchmark has it."""
    whole = synthetic.document(workloads={"w": (4, 8)}, contracts={"forward": 1.0}, replicates=2)
    for entry in whole["benchmarks"]:
        entry["stats"]["data"] = [0.001, 0.002, 0.010, 0.020] if entry["extra_info"]["replicate"] else [0.1]
    for cell in cells_of(parsed(whole)):
        assert cell.seconds == pytest.approx((0.006 + 0.1) / 2)
        assert cell.low <= cell.seconds <= cell.high


def test_rates_are_those_of_the_time_beside_them(run):
    """Of two backends with the same work, the slower one never has the larger share of the bandwidth."""
    for cell in cells_of(run):
        of_it = [each for each in run.timings if each.key == cell.key]
        assert cell.bytes_per_second == pytest.approx(of_it[0].floor_bytes / cell.seconds, rel=1e-9)
        assert cell.bandwidth_fraction == pytest.approx(cell.bytes_per_second / synthetic.COPY, rel=1e-9)


def test_the_bands_of_the_classes_stand_at_the_median_of_the_limits(run):
    chosen = flagship(cells_of(run))
    ends = [{"A": 0.1 * (i + 1), "B": 1.0, "C": 5.0 + i} for i in range(len(chosen))]
    marked = [
        msgspec.structs.replace(cell, accuracy=msgspec.structs.replace(cell.accuracy, limits=limits))
        for cell, limits in zip(chosen, ends, strict=True)
    ]
    bands = accuracy_chart(marked, Look(cells_of(run))).to_dict()["layer"][0]["data"]["values"]
    assert [round(band["to"], 9) for band in bands][:3] == [0.5, 1.0, 9.0]
    assert [band["text"][:1] for band in bands] == ["A", "B", "C", "F"]


def test_each_backend_has_a_mark_of_its_own_and_the_same_one_in_every_picture(drawn):
    """Colour and shape come from the legend of the picture, which names every backend once."""
    marks: dict[str, set[tuple[str, str]]] = {}
    for each in drawn:
        if each.name in ("accuracy", "compile") or each.name.startswith("scaling"):
            encoding = each.chart.to_dict()["layer"][-1]["encoding"]
            colour, shape = (encoding[name]["scale"] for name in ("stroke", "shape"))
            assert colour["domain"] == shape["domain"] and len({*colour["domain"]}) == len(synthetic.BACKENDS)
            for name, *mark in zip(colour["domain"], colour["range"], shape["range"], strict=True):
                marks.setdefault(name, set()).add(tuple(mark))
    assert all(len(mark) == 1 for mark in marks.values())
    assert len(set.union(*marks.values())) == len(marks) == len(synthetic.BACKENDS)


def test_one_backend_too_many_for_the_shapes_is_drawn_all_the_same():
    backends = {f"mine:{number}": ("mine", "eager", 1.0, 0.01, 0.5, 1.0) for number in range(12)}
    run = synthetic.benchmarks(backends=backends, workloads={"w": (64, 1000)}, rounds=2, replicates=1)
    assert all(each.chart.to_dict(validate=True) for each in pictures(run))


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


def small(**facts):
    """A run of one process a backend on one small workload, with ``facts`` in every record."""
    whole = synthetic.document(workloads={"w": (4, 8)}, contracts={"forward": 1.0}, rounds=3, replicates=1)
    for entry in whole["benchmarks"]:
        entry["extra_info"] |= facts
    return whole


def parsed(whole):
    return parse_benchmarks(json.dumps(whole).encode(), "x.json")


def columns(run, backend):
    """A backend's row of the first table, by the name of the column."""
    (table, *_) = tables_of(cells_of(run))
    return next(dict(zip(HEAD, (backend, *row[1:]), strict=True)) for row in table.rows if row[0].content == backend)


def test_a_row_tells_speed_in_bytes_and_in_shares_with_the_digits_that_count():
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


def test_a_run_without_bandwidth_and_accuracy_is_reported_all_the_same(tmp_path):
    whole = synthetic.document(workloads={"w": (4, 8)}, rounds=2)
    for entry in whole["benchmarks"]:
        for name in ("accuracy", "bandwidth_fraction", "peak_multiple", "first_call_seconds"):
            entry["extra_info"][name] = None
    run = parse_benchmarks(json.dumps(whole).encode(), "x")
    assert [each.name for each in pictures(run)] == ["time-01-w"]
    (tmp_path / "benchmarks.json").write_text(json.dumps(whole))
    assert "numpy" in printed(print_benchmarks, tmp_path)


@pytest.mark.parametrize("ratio", ["inf", "nan", 0, 1e-300, 1e300])
def test_errors_off_the_scale_are_drawn_on_its_edge(ratio):
    whole = small()
    whole["benchmarks"][0]["extra_info"]["accuracy"].update(ratio=ratio, verdict="pass" if ratio == 0 else "fail")
    drawn = pictures(parse_benchmarks(json.dumps(whole).encode(), "x"))
    text = json.dumps(drawn[0].chart.to_dict(validate=True), ensure_ascii=False)
    assert "NaN" not in text and "Infinity" not in text
    shown = {"inf": "∞", "nan": "undefined", 0: "0"}.get(ratio, f"{ratio}×")
    assert f"(error {shown})" in text


def test_a_run_without_times_is_said_to_have_none(tmp_path):
    with pytest.raises(UsageError, match="no times"):
        write_benchmark_report(synthetic.write(tmp_path / "run", backends={}), tmp_path)


def test_a_comparison_is_shown_with_its_band_in_both_renderings():
    options = {"workloads": {"v": (64, 1000), "w": (4096, 1000)}}
    run, slow = (synthetic.benchmarks(seed=n, slower={"torch": x}, **options) for n, x in ((1, 1.0), (2, 1.4)))
    comparison = compare_runs(run, slow, DeadBand(width=0.05, comparisons=40, false_calls=1))
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

"""Pictures are valid and legible, name who is missing, and rank nobody who fails."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from conformance.reports.benchmarks.cells import cells_of, flagship, ranked
from conformance.reports.benchmarks.charts.scatter import accuracy_chart
from conformance.reports.benchmarks.charts.style import Look
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.report import pictures, print_benchmarks
from tests.support import benchmarks as synthetic
from tests.support.benchmarks import columns, parsed, printed, small

pytestmark = pytest.mark.slow


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


def test_every_picture_names_machine_threads_day_and_versions(drawn):
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

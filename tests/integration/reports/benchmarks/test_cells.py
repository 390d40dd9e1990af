"""What a cell of the tables holds: the median, its rank, its rates, and the first call."""

from __future__ import annotations

import json

import msgspec
import pytest

from conformance.bench.record import ResultAccuracy
from conformance.reports.benchmarks.cells import cells_of, flagship, places
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.units import seconds
from tests.support import benchmarks as synthetic
from tests.support.benchmarks import parsed, small


@pytest.fixture(scope="module")
def run():
    return synthetic.benchmarks(seed=1)


def test_the_flagship_has_a_mark_for_each_backend_of_the_workload_that_says_most(run):
    chosen = flagship(cells_of(run))
    assert {cell.backend for cell in chosen} == {*synthetic.BACKENDS}
    assert chosen[0].contract == "forward+grad" and chosen[0].workload == "lm-head-256x128256"


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

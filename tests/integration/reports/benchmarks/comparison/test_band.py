"""The stored dead band: found by machine, read back, and refused when it is none."""

from __future__ import annotations

import json

import msgspec
import pytest

from conformance.model.errors import UsageError
from conformance.reports.benchmarks.band import band_from, main
from conformance.reports.benchmarks.comparison.band import DEFAULT, DeadBand, find_band, read_band, write_band
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.records import Machine
from tests.support import benchmarks as synthetic

HERE = Machine(cpu="Example CPU @ 2.0 GHz", cores=2, threads=2)


def test_a_band_is_found_again_by_its_machine_only(tmp_path):
    stored = DeadBand(width=0.03, machine=HERE, comparisons=40, false_calls=1, log_ratios=(0.01, -0.03))
    write_band(stored, folder=tmp_path)
    assert find_band(HERE, folder=tmp_path) == stored
    assert find_band(msgspec.structs.replace(HERE, threads=1), folder=tmp_path) == stored
    other = find_band(msgspec.structs.replace(HERE, cpu="another"), folder=tmp_path)
    assert other.width == DEFAULT and not other.stored and "default" in other.summary()


def test_a_newer_band_of_other_threads_does_not_take_the_place_of_one_with_the_same(tmp_path):
    runs = DeadBand(width=0.06, machine=HERE, measured="2026-01-01", comparisons=40)
    check = DeadBand(
        width=0.02, machine=msgspec.structs.replace(HERE, threads=1), measured="2026-02-01", comparisons=40
    )
    for band in (runs, check):
        write_band(band, folder=tmp_path)
    assert find_band(HERE, folder=tmp_path) == runs
    assert find_band(msgspec.structs.replace(HERE, threads=4), folder=tmp_path) == check
    newer = msgspec.structs.replace(runs, measured="2026-03-01", width=0.05)
    write_band(newer, folder=tmp_path)
    assert find_band(HERE, folder=tmp_path) == newer


def test_a_band_of_a_newer_suite_is_refused(tmp_path):
    (tmp_path / "band.json").write_text('{"width": 0.1, "schema": 99}')
    with pytest.raises(UsageError, match=r"band\.json.*newer suite"):
        read_band(tmp_path / "band.json")


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ({}, {}, "are one run"),
        ({}, {"seed": 2, "machine": "Another CPU"}, "different machines"),
        ({"replicates": 2}, {"seed": 2, "replicates": 2}, "--replicates 4"),
        ({}, {"seed": 2, "workloads": {"u": (2, 2)}}, "no A/A comparison"),
    ],
)
def test_no_band_is_taken_from_what_is_not_an_aa_run(tmp_path, capsys, first, second, shown):
    runs = []
    for name, options in (("a", first), ("b", second)):
        whole = {"seed": 1, "workloads": {"w": (8, 10)}} | options
        runs.append(str(synthetic.write(tmp_path / name, **whole)))
    assert main([*runs, "--output", str(tmp_path / "band.json")]) == 2
    assert shown in capsys.readouterr().err and not (tmp_path / "band.json").exists()


def test_no_band_is_taken_from_two_versions():
    old, new = (synthetic.document(seed=seed, workloads={"w": (8, 10)}) for seed in (1, 2))
    for entry in new["benchmarks"]:
        entry["extra_info"]["version"] = "9.9"
    with pytest.raises(UsageError, match=r"identical code.*9\.9"):
        band_from(*(parse_benchmarks(json.dumps(each).encode(), "x.json") for each in (old, new)))


@pytest.mark.parametrize("text", ["", "{", '{"width": 0}', '{"width": "x"}', '{"width": 0.1, "false_calls": 3}', "[]"])
def test_a_file_that_is_not_a_band_is_refused(tmp_path, text):
    (tmp_path / "band.json").write_text(text)
    with pytest.raises(UsageError, match=r"band\.json"):
        read_band(tmp_path / "band.json")


def test_the_command_stores_a_band_from_two_runs_and_says_its_rate(tmp_path, capsys):
    runs = [
        str(synthetic.write(tmp_path / name, seed=seed, workloads={"w": (8, 10), "v": (64, 1000)}))
        for seed, name in enumerate("ab")
    ]
    assert main([*runs, "--output", str(tmp_path / "band.json")]) == 0
    band = read_band(tmp_path / "band.json")
    assert band.machine == HERE and band.comparisons == len(band.log_ratios) == 36
    assert f"{band.false_calls} of 36" in capsys.readouterr().out


def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path, capsys):
    assert main([str(tmp_path), str(tmp_path)]) == 2
    assert "hint" in capsys.readouterr().err

"""The self-check itself: a machine with known noise passes it, and what it times is what it claims."""

from __future__ import annotations

import itertools
import json
import os

import msgspec
import numpy as np
import pytest

from conformance.bench.machine import usable_cores
from conformance.bench.record import Head, Record
from conformance.reports.benchmarks.comparison.band import write_band
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.records import Benchmarks
from conformance.results.environment import describe_environment
from tests.selfcheck import equals, false_calls
from tests.selfcheck.equals import SLOWDOWN
from tests.selfcheck.false_calls import DEFAULT, GROUPS, WORKLOADS, busy, check, split, through_the_harness

pytestmark = pytest.mark.slow


class Machine:
    """A machine whose processes differ by ``noise``, and which gets slower by a tenth while it is being measured."""

    def __init__(self, noise: float, share: float = 1.0) -> None:
        self.generator = np.random.default_rng(3)
        self.noise = noise
        self.share = share

    def __call__(self, replicates: int, budget: float, seed: int) -> Benchmarks:
        entries = [
            self.entry(group, f"w{level}", 1e-6 * 2**level, replicate, (replicate + place / 3) / replicates)
            for replicate in range(replicates)
            for place, group in enumerate(self.generator.permutation(GROUPS))
            for level in range(40)
        ]
        head = Head(
            started="2026-01-01T00:00:00+00:00", environment=describe_environment(), seed=1, replicates=1, threads=1
        )
        whole = {"benchmarks": entries, "conformance": msgspec.to_builtins(head)}
        return parse_benchmarks(json.dumps(whole).encode(), "fake")

    def entry(self, group: str, workload: str, seconds: float, replicate: int, progress: float) -> dict:
        slower = 1 + self.share * SLOWDOWN * (group == "Slow") + 0.1 * progress
        level = seconds * slower * np.exp(self.noise * self.generator.standard_normal())
        data = (level * np.exp(0.02 * self.generator.standard_exponential(9))).tolist()
        info = Record(
            workload=workload, backend=f"equals:{group}", contract="forward", cache="warm", dtype="float32",
            replicate=replicate, order=0, seed=1, threads=1, shape=(1, 2), axis=1, classes=2, positions=1,
            targets="indices", reduction="mean", logits_bytes=8, floor_bytes=8,
        )  # fmt: skip
        return {
            "name": f"{workload}[{group}|r{replicate}]",
            "stats": {"data": data},
            "extra_info": msgspec.to_builtins(info),
        }


def test_forty_comparisons_go_through_the_harness(tmp_path):
    """As many of them, of fewer elements: that they are timed, and not how long they take."""
    small = WORKLOADS.read_text(encoding="utf-8")
    for extents, fewer in (
        ("8, 64, 512, 2048, 8192", "2, 3, 4, 5, 6"),
        ("8, 64, 256, 1024, 2048", "2, 3, 4, 5, 6"),
        ("elements: 65536", "elements: 32768"),
        ("elements: 1048576", "elements: 131072"),
    ):
        assert extents in small
        small = small.replace(extents, fewer)
    (tmp_path / "small.yaml").write_text(small, encoding="utf-8")
    run = through_the_harness(1, 1e-4, 7, tmp_path / "small.yaml")
    assert not run.not_timed and run.machine.threads == len(usable_cores())
    runs = split(run)
    assert [*runs] == [*GROUPS] and all(len(each.timings) == 40 for each in runs.values())
    keys = [{timing.key for timing in each.timings} for each in runs.values()]
    assert keys[0] == keys[1] == keys[2] and {key.backend for key in keys[0]} == {"numpy"}


def test_a_calm_machine_passes_and_its_band_names_both_figures():
    result = check(Machine(0.015), replicates=10, budget=0, seed=1)
    assert result.passed
    assert (result.band.comparisons, result.band.injected) == (40, 40)
    assert result.band.slowdown == SLOWDOWN and "of 40" in result.band.summary()


def test_the_figures_for_the_default_number_of_processes_are_shown_too():
    """On a machine where ten processes find nearly all slowdowns and five find fewer, the band must not hide it."""
    result = check(Machine(0.04), replicates=12, budget=0, seed=1)
    (rate,) = result.band.fewer
    assert (rate.processes, rate.comparisons, rate.injected) == (DEFAULT, 40, 40)
    assert rate.found < result.band.found
    assert result.band.with_fewer(DEFAULT + 2) == rate and result.band.with_fewer(DEFAULT - 1) is None
    assert check(Machine(0.015), replicates=DEFAULT, budget=0, seed=1).band.fewer == ()


def test_a_machine_too_noisy_to_see_a_tenth_does_not_pass_and_calls_nothing_by_mistake():
    result = check(Machine(0.3), replicates=10, budget=0, seed=1)
    assert not result.passed and result.band.found < 10
    assert result.band.false_calls <= 2


def test_slowdowns_that_are_none_are_not_found():
    assert check(Machine(0.015, share=0.0), replicates=10, budget=0, seed=1).band.found <= 2


def test_a_slowdown_keeps_the_process_busy_for_its_share_of_each_call(monkeypatch):
    """By a clock that goes on by one at each look: a call takes one, and its slowdown as many more as it must."""
    for share, ticks in ((0.1, 2), (1.0, 2), (2.5, 4)):
        clock = itertools.count()
        monkeypatch.setattr(equals, "perf_counter", clock.__next__)
        assert equals.prolonged(lambda: "result", share) == "result"
        assert next(clock) - 1 == ticks  # the last look, from the first one on


@pytest.mark.parametrize("load", [0.0, 99.0])
def test_a_band_of_a_busy_machine_takes_no_quiet_ones_place(load, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(false_calls, "through_the_harness", Machine(0.015))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(false_calls, "write_band", lambda band, file: write_band(band, file, tmp_path))
    assert false_calls.main(["--replicates", "10"]) == 0
    assert len(list(tmp_path.iterdir())) == (0 if load else 1)
    assert ("not stored" in capsys.readouterr().out) == bool(load)
    false_calls.main(["--replicates", "4", "--output", str(tmp_path / "asked.json")])
    assert (tmp_path / "asked.json").is_file()


def test_a_busy_machine_is_shown_in_the_band() -> None:
    cores = len(usable_cores())
    assert busy([0.5, cores + 0.4, 0.3]) == ""
    assert f"busy (load {cores + 3:.1f} on {cores} cores)" in busy([cores + 3.0, cores + 5.0, 0.1])

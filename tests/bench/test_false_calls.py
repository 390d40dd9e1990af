"""The self-check itself: a machine with known noise passes it, and its schedule and processes are what they claim."""

from __future__ import annotations

import itertools
import os
from collections import Counter

import numpy as np
import pytest

from conformance.bench.machine import usable_cores
from reports.benchmarks.band import write_band
from tests.bench import false_calls, kernel
from tests.bench.false_calls import DEFAULT, GROUPS, SLOWDOWN, WORKLOADS, Job, busy, check, fresh_process, schedule


class Machine:
    """A machine whose processes differ by ``noise``, and which gets slower by a tenth while it is being measured."""

    def __init__(self, noise: float, share: float = 1.0) -> None:
        self.generator = np.random.default_rng(3)
        self.noise = noise
        self.share = share
        self.started = 0

    def __call__(self, job: Job, budget: float) -> list[float]:
        self.started += 1
        slower = 1 + self.share * GROUPS[job.group] + 0.1 * self.started / 1000
        level = job.shape[0] * job.shape[1] * 1e-9 * slower * np.exp(self.noise * self.generator.standard_normal())
        return (level * np.exp(0.02 * self.generator.standard_exponential(9))).tolist()


def test_forty_comparisons_are_interleaved_and_half_of_them_are_slowed_too():
    jobs = schedule(3, 1)
    assert len(WORKLOADS) == 40
    assert Counter(job.group for job in jobs) == {"old": 120, "new": 120, "slow": 60}
    for replicate in range(3):
        order = [job.workload for job in jobs if job.replicate == replicate]
        assert sum(a != b for a, b in itertools.pairwise(order)) == 39
    assert schedule(3, 1) == jobs != schedule(3, 2)


def test_a_calm_machine_passes_and_its_band_tells_both_figures():
    result = check(Machine(0.015), replicates=10, budget=0, seed=1)
    assert result.passed
    assert (result.band.comparisons, result.band.injected) == (40, 20)
    assert result.band.slowdown == SLOWDOWN and "20" in result.band.says()


def test_the_figures_for_the_default_number_of_processes_are_told_too():
    """On a machine where ten processes find nearly all slowdowns and five find fewer, the band must not hide it."""
    result = check(Machine(0.04), replicates=12, budget=0, seed=1)
    (rate,) = result.band.fewer
    assert (rate.processes, rate.comparisons, rate.injected) == (DEFAULT, 40, 20)
    assert rate.found < result.band.found
    assert result.band.with_fewer(DEFAULT + 2) == rate and result.band.with_fewer(DEFAULT - 1) is None
    assert check(Machine(0.015), replicates=DEFAULT, budget=0, seed=1).band.fewer == ()


def test_a_machine_too_noisy_to_see_a_tenth_does_not_pass_but_cries_no_wolf_either():
    result = check(Machine(0.3), replicates=10, budget=0, seed=1)
    assert not result.passed and result.band.found < 5
    assert result.band.false_calls <= 2


def test_slowdowns_that_are_none_are_not_found():
    assert check(Machine(0.015, share=0.0), replicates=10, budget=0, seed=1).band.found <= 1


def test_a_process_times_its_workload_in_rounds():
    for group in GROUPS:
        data = fresh_process(Job(group, "gradient", (4, 8), 0), 0.0)
        assert len(data) >= 5 and all(0 < each < 10 for each in data)


def test_a_slowdown_keeps_the_process_busy_for_its_share_of_each_call(monkeypatch):
    """By a clock that goes on by one at each look: a call takes one, and its slowdown as many more as it must."""
    for slowdown, ticks in ((0.0, 1), (0.1, 2), (1.0, 2), (2.5, 4)):
        monkeypatch.setattr(kernel, "perf_counter", itertools.count().__next__)
        assert set(kernel.rounds("softmax", 2, 3, slowdown, 0)) == {ticks}


@pytest.mark.parametrize("load", [0.0, 99.0])
def test_a_band_of_a_busy_machine_takes_no_quiet_ones_place(load, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(false_calls, "fresh_process", Machine(0.015))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(false_calls, "write_band", lambda band, file: write_band(band, file, tmp_path))
    assert false_calls.main(["--replicates", "10"]) == 0
    assert len(list(tmp_path.iterdir())) == (0 if load else 1)
    assert ("not stored" in capsys.readouterr().out) == bool(load)
    false_calls.main(["--replicates", "4", "--output", str(tmp_path / "asked.json")])
    assert (tmp_path / "asked.json").is_file()


def test_a_busy_machine_is_told_in_the_band() -> None:
    cores = len(usable_cores())
    assert busy([0.5, cores + 0.4, 0.3]) == ""
    assert f"busy (load {cores + 3:.1f} on {cores} cores)" in busy([cores + 3.0, cores + 5.0, 0.1])

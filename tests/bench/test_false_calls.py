"""The self-check itself: a machine with known noise passes it, and its schedule and processes are what they claim."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np

from tests.bench import kernel
from tests.bench.false_calls import GROUPS, SLOWDOWN, WORKLOADS, Job, check, fresh_process, schedule


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

"""The simulation behind docs/fleet.md deals out every task by the run's own executor, to workers that only wait."""

from __future__ import annotations

import pytest

from tests.scale.fleet import Sizes, simulate

pytestmark = pytest.mark.slow


def test_every_task_comes_back_from_a_simulated_fleet() -> None:
    found = simulate(12, 11, 3, 0.01, Sizes(tasks=3, out=1e4, back=1e4, seconds=0.01, lines=1e5))
    assert (found.tasks, found.workers) == (11 * 3 - 1, 12) and found.efficiency > 0

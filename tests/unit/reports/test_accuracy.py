"""Distributions of errors, and what pairs of backends have in common."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from conformance.reports.accuracy import accuracy, agreement, spreads
from conformance.reports.merge import merge
from tests.support.outcomes import outcome, run


def test_quantiles_are_near_those_of_the_numbers_and_special_values_count(tmp_path: Path) -> None:
    sizes = [0.0] * 10 + [10 ** (n / 40 - 3) for n in range(185)] + [math.inf] * 5
    found = [outcome(f"c{n}", ulp=size, ratio=size, class_="B" if n else "D") for n, size in enumerate(sizes)]
    found.append(outcome("of-another-dtype", verdict="fail", reason="wrong-dtype", class_="F", ratio=1e9))
    relations = merge([run(tmp_path / "run", found)]).relations
    (column,) = relations.columns
    spread = spreads(relations, "ulp", (-3, 1))[(column, "float32")]
    assert (spread.count, spread.zeros, spread.worst) == (200, 10, math.inf)
    assert spread.median == pytest.approx(sizes[99], rel=0.024) and spread.most == math.inf
    assert len(spread.bins) == 16 and sum(spread.bins) == 185 and spread.bins[0] == 10 == spread.bins[1]
    reached = accuracy(relations)[(column, "cross_entropy", "float32")]
    assert reached.reached == "D" and reached.letters == {"D": 1, "B": 199} and reached.worst == "c0"


def test_what_two_backends_share(tmp_path: Path) -> None:
    found = [outcome(f"c{n}", backend, ratio=0.1 * (n + 1)) for n in range(4) for backend in ("a", "b")]
    found += [outcome("d", "a"), outcome("d", "b", verdict="fail"), outcome("alone", "a")]
    found += [outcome("k", "a", verdict="known"), outcome("k", "b")]
    found += [outcome("e", "a", verdict="deviation"), outcome("e", "b"), outcome("f", "a"), outcome("g", "b")]
    found += [outcome("f", "b", verdict="deviation"), outcome("g", "a", verdict="deviation", ratio=None)]
    relations = merge([run(tmp_path / "run", found)]).relations
    columns, pairs = agreement(relations)
    pair = pairs[(columns[0], columns[1])]
    assert (pair.shared, pair.both, pair.deviations) == (6, 4, 3)
    assert pair.apart == pytest.approx(0.4, rel=0.024) and pair.most == pytest.approx(0.8)
    assert agreement(merge([run(tmp_path / "none", [])]).relations) == ([], {})

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pytest

from conformance.cases.expand import expand
from conformance.cases.load import Entry, load_suite
from conformance.corpus.memory import CALLS, layouts_of_rank
from conformance.model.layouts import BETWEEN, LAYOUTS, OPERANDS, layout_of
from conformance.model.problem import Problem
from conformance.places import CASES
from conformance.worker.layouts import fits

ENTRIES = load_suite((CASES / "layouts",)).entries


@pytest.mark.parametrize("name", CALLS)
def test_every_pair_of_layouts_of_two_operands_stands_in_the_file(name: str) -> None:
    cases = [case for case in (entry.case for entry in ENTRIES) if case.id.startswith(f"memory.{name}.")]
    held = {
        ((one, layout_of(layout, one)), (other, layout_of(layout, other)))
        for case in cases
        for layout in case.layouts
        for one, other in combinations(CALLS[name].ranks, 2)
    }
    ranks = CALLS[name].ranks
    missing = [
        pair
        for one, other in combinations(ranks, 2)
        for pair in product(
            [(one, layout) for layout in layouts_of_rank(ranks[one])],
            [(other, layout) for layout in layouts_of_rank(ranks[other])],
        )
        if pair not in held
    ]
    assert missing == []


def test_every_layout_is_that_of_every_operand_somewhere() -> None:
    """But for those that its rank has not, and those of logits beside themselves."""
    held = {pair for entry in ENTRIES for problem in narrowed(entry) for pair in lying(problem)}
    absent = {(operand, layout) for operand in OPERANDS for layout in LAYOUTS} - held
    absent -= {
        ("weight", layout)
        for layout in ("transposed", "time-major", "channels-last", "channels-last-cut", "overlapping")
    }
    absent -= {("weight", "beside-logits"), ("logits", "beside-logits"), ("logits", "within-logits")}
    # A mask is of truth values: it is nobody's logits, and of one byte each.
    absent -= {("where", layout) for layout in ("beside-logits", "within-logits", "byte-swapped")}
    assert absent == set()


def narrowed(entry: Entry) -> list[Problem]:
    return expand(entry, dtypes=entry.case.dtypes[:1]).problems


def lying(problem: Problem) -> Iterator[tuple[str, str]]:
    """How each operand lies indeed: one that a layout of all does not suit is contiguous."""
    singles = {"targets": problem.targets, "where": problem.where, "weight": problem.weight, "tangent": problem.tangent}
    arrays = [("logits", problem.logits), *singles.items(), *(("upstream", each) for each in problem.upstream.values())]
    for name, array in arrays:
        layout = layout_of(problem.layout, name)
        if isinstance(array, np.ndarray) and (layout in ("contiguous", *BETWEEN) or fits(layout, array)):
            yield name, layout

"""What is unusual about a problem: sizes are numbers, and words only in the end."""

from __future__ import annotations

import numpy as np

from conformance.fuzz.traits import Trait, shown, traits
from tests.support.problems import problem


def test_sizes_are_numbers_and_the_largest_of_each_kind_is_shown() -> None:
    logits = np.zeros((9, 1100))
    logits[0, 0] = 2e4
    found = traits(problem("softmax", logits, dtype="float32"), "none")
    assert {
        Trait("more than # classes", 1024),
        Trait("more than # positions", 8),
        Trait("logits beyond #", 88),
    } <= found
    assert shown(found) == ["logits beyond 10,000", "more than 1,024 classes", "more than 8 positions"]


def test_a_trait_that_names_a_number_has_no_size() -> None:
    plain = {Trait("rank 3"), Trait("classes on axis 1 of 4"), Trait("more than # classes", 4)}
    assert shown(plain) == ["classes on axis 1 of 4", "more than 4 classes", "rank 3"]


def test_a_larger_problem_has_the_traits_of_a_smaller_one() -> None:
    small, large = (traits(problem("softmax", np.zeros((2, n))), "none") for n in (20, 600))
    assert small < large

"""A block that is prepared for judging."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.cases.resolve import Marked, Resolution
from conformance.judge.prepared import Prepared
from conformance.oracle.block import Block
from tests.support.problems import small


def test_losses_that_a_policy_gives_are_those_of_a_block_of_one_problem() -> None:
    given = small()
    plain = Resolution(given)
    marked = Resolution(given, marked=Marked(np.array([True, False]), np.zeros(2)))
    Prepared(Block((given, given)), resolutions=(plain, plain))
    assert Prepared(Block((given,)), resolutions=(marked,)).exact("value", "none").mid[0] == 0
    with pytest.raises(AssertionError):
        Prepared(Block((given, given)), resolutions=(plain, marked))

from __future__ import annotations

import pytest

from conformance.model.layouts import LAYOUTS, OPERANDS, is_exact, layout_of, problem_of


def test_one_word_is_of_all_operands() -> None:
    assert {layout_of("padded", each) for each in OPERANDS} == {"padded"}
    assert layout_of("logits=padded+weight=sliced", "weight") == "sliced"
    assert layout_of("logits=padded+weight=sliced", "targets") == "contiguous"


def test_what_was_always_given_as_a_copy_may_still_be_one() -> None:
    assert not any(is_exact(each, "logits") for each in ("contiguous", "transposed", "sliced", "reversed", "broadcast"))
    assert is_exact("logits=transposed", "logits") and not is_exact("logits=transposed", "weight")
    assert all(is_exact(each, "targets") for each in list(LAYOUTS)[6:])


@pytest.mark.parametrize("layout", ["padded", "weight=sliced", "logits=cut+targets=shifted+upstream=reversed"])
def test_layouts_in_the_order_of_the_operands_are_right(layout: str) -> None:
    assert problem_of(layout) is None


@pytest.mark.parametrize(
    ("layout", "problem", "hint"),
    [
        ("spiral", "unknown layout 'spiral'", "one of contiguous"),
        ("weight=spiral", "unknown layout 'spiral'", "one of contiguous"),
        ("bias=padded", "unknown operand 'bias'", "one of logits"),
        ("within-logits", "'within-logits' is of one operand", "write `targets=within-logits`"),
        ("upstream=cut+logits=cut", "in another order, or twice", "write `logits=cut+upstream=cut`"),
        ("logits=cut+logits=padded", "in another order, or twice", "write `logits=padded`"),
        ("logits=contiguous", "not named are contiguous", "name only the others"),
        ("logits=within-logits", "the logits within-logits", "name another operand"),
        ("logits=far-apart+weight=within-logits", "within logits that are far apart", "name another layout"),
        ("logits=cut+targets=beside-logits", "one that gives them theirs", "remove `logits=...`"),
    ],
)
def test_what_is_wrong_with_a_layout(layout: str, problem: str, hint: str) -> None:
    found = problem_of(layout)
    assert found is not None and problem in found[0] and hint in found[1]

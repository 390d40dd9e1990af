"""The yardstick is proven: what is right passes every case in every dtype, and what is wrong is found out.

In few tests of many backends each, as the oracle's work is shared between them.
"""

from __future__ import annotations

import pytest

from conformance.model.wording import message
from tests.yardstick.registry import right_backends, suite, title, wrong_backends
from tests.yardstick.trial import first_kills, quick_survivors, unwanted

RIGHT, WRONG = right_backends(), wrong_backends()
SHARES = range(2)


@pytest.mark.parametrize("share", SHARES)
def test_what_is_right_passes_every_case(share: int) -> None:
    found = [outcome for seen in unwanted(RIGHT[share :: len(SHARES)], suite()).values() for outcome in seen]
    shown = [
        f"{o.backend}: {o.case}, {o.dtype}, {o.reduction}, {o.check}: {o.verdict}: {message(o)}" for o in found[:20]
    ]
    assert not found, f"{len(found)} false alarms:\n" + "\n".join(shown)


#: Wrong only where an object lies at the address of an earlier one: few calls need not come to that, many do.
BY_CHANCE = {"caches.ResultById"}


@pytest.mark.parametrize("share", SHARES)
def test_what_is_wrong_is_killed_by_the_quick_selection(share: int) -> None:
    survivors = set(quick_survivors(WRONG[share :: len(SHARES)], suite()))
    assert survivors <= BY_CHANCE, "add a case that finds them out, then `python -m tests.yardstick matrix`"
    rest = [kind for kind in WRONG if title(kind) in survivors]
    assert set(first_kills(rest, suite())) == survivors


def test_every_wrong_backend_has_a_name_of_its_own_and_says_what_it_re_creates() -> None:
    assert len({kind.__name__ for kind in WRONG}) == len(WRONG)
    for kind in WRONG:
        own = (vars(kind).get("__doc__") or "").strip()
        assert own.endswith(".") and len(own.splitlines()) <= 2, f"{title(kind)} needs a line on its defect"

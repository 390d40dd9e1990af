"""The yardstick is proven: what is right passes every case in every dtype, and what is wrong is found out.

The right backends are shared out by cases, so that the oracle works on a case once. Of each wrong one the kill matrix
says which case kills it; what that kills no longer is held against the whole quick selection, all of them together.
Every case of the default tier is asked in one of its dtypes, of one of the right backends, in turn: the truth, edges of
bounds, NumPy, sound orders; ``tox run -e mutants -- score``, which the nightly runs, asks all of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from conformance.cases.load import Entry
from conformance.model.wording import message
from conformance.places import ROOT
from conformance.reports.kills import read_kills
from tests.yardstick.page import summary_text
from tests.yardstick.pool import by_cases
from tests.yardstick.registry import recorded_pairs, right_backends, suite, title, wrong_backends
from tests.yardstick.trial import first_kills, quick_survivors, unwanted

WRONG = wrong_backends()
SHARES = 6


@pytest.mark.yardstick
@pytest.mark.parametrize("share", range(SHARES))
def test_every_case_is_passed_by_one_that_is_right(share: int) -> None:
    entries = by_cases([entry for entry in suite() if entry.case.tier != "full"], share, SHARES)
    kinds = right_backends()
    found = [
        outcome
        for turn, kind in enumerate(kinds)
        for outcome in unwanted([kind], _in_one_dtype(entries[turn :: len(kinds)]))[title(kind)]
    ]
    shown = [
        f"{o.backend}: {o.case}, {o.dtype}, {o.reduction}, {o.check}: {o.verdict}: {message(o)}" for o in found[:20]
    ]
    assert not found, f"{len(found)} false alarms:\n" + "\n".join(shown)


def _in_one_dtype(entries: Sequence[Entry]) -> list[Entry]:
    """The cases, each in one of its dtypes in turn."""
    return [
        replace(entry, case=msgspec.structs.replace(entry.case, dtypes=(dtypes[place % len(dtypes)],)))
        for place, entry in enumerate(entries)
        for dtypes in [entry.case.dtypes]
    ]


#: Wrong only where an object lies at the address of an earlier one: few calls need not come to that, many do.
BY_CHANCE = {"caches.ResultById"}


@pytest.mark.yardstick
def test_what_is_wrong_is_killed_by_the_quick_selection() -> None:
    recorded = recorded_pairs()
    survivors = set(quick_survivors(WRONG, suite(), recorded))
    assert survivors <= BY_CHANCE, "add a case that finds them out, then `python -m tests.yardstick matrix`"
    rest = [kind for kind in WRONG if title(kind) in survivors]
    assert set(first_kills(rest, suite(), {})) == survivors


def test_every_wrong_backend_has_a_name_of_its_own_and_says_what_it_re_creates() -> None:
    assert len({kind.__name__ for kind in WRONG}) == len(WRONG)
    for kind in WRONG:
        own = (vars(kind).get("__doc__") or "").strip()
        assert own.endswith(".") and len(own.splitlines()) <= 2, f"{title(kind)} needs a line on its defect"


def test_the_kill_matrix_is_of_the_wrong_backends_that_there_are() -> None:
    kills = read_kills()
    assert kills is not None
    defects = {title(kind): " ".join((kind.__doc__ or "").split()) for kind in WRONG}
    stale = {name: each.defect for name, each in kills.wrong.items() if defects.get(name) != each.defect}
    assert not stale, "write the matrix anew: python -m tests.yardstick matrix"


def test_the_page_of_the_kill_matrix_is_that_of_its_data() -> None:
    kills = read_kills()
    assert kills is not None
    text = (ROOT / "docs" / "kill-matrix.md").read_text(encoding="utf-8")
    assert text == summary_text(kills), "write it anew: python -m tests.yardstick page"
    assert len(text.splitlines()) <= 60

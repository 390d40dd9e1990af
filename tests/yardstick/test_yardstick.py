"""The yardstick is proven: what is right passes every case in every dtype, and what is wrong is found out.

A class added to a module of ``wrong`` is a test more.
"""

from __future__ import annotations

from typing import Any

import pytest

from conformance.results.records import Outcome
from tests.yardstick.pool import in_parallel
from tests.yardstick.registry import Kind, right_backends, title, wrong_backends

RIGHT, WRONG = right_backends(), wrong_backends()


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> dict[str, Any]:
    """By title: all that is unwanted of a right backend, the first kill of a wrong one. Only for those under test."""
    chosen = [_params(item).get("kind") for item in request.session.items]
    right = [kind for kind in RIGHT if kind in chosen]
    wrong = [kind for kind in WRONG if kind in chosen]
    jobs = [(name, kinds) for name, kinds in (("unwanted", right), ("first_kills", wrong)) if kinds]
    return {name: result for _, part in in_parallel(jobs) for name, result in part.items()}


def _params(item: Any) -> dict[str, Any]:
    callspec: Any = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


@pytest.mark.parametrize("kind", RIGHT, ids=title)
def test_what_is_right_passes_every_case(kind: Kind, verdicts: dict[str, Any]) -> None:
    unwanted: list[Outcome] = verdicts[title(kind)]
    shown = [f"{o.case}, {o.dtype}, {o.reduction}, {o.check}: {o.verdict}: {o.message}" for o in unwanted[:20]]
    assert not unwanted, f"{len(unwanted)} false alarms:\n" + "\n".join(shown)


@pytest.mark.parametrize("kind", WRONG, ids=title)
def test_what_is_wrong_is_killed(kind: Kind, verdicts: dict[str, Any]) -> None:
    assert title(kind) in verdicts, f"no case finds out: {kind.__doc__}"


def test_every_wrong_backend_has_a_name_of_its_own_and_says_what_it_re_creates() -> None:
    assert len({kind.__name__ for kind in WRONG}) == len(WRONG)
    for kind in WRONG:
        own = (vars(kind).get("__doc__") or "").strip()
        assert own.endswith(".") and len(own.splitlines()) <= 2, f"{title(kind)} needs a line on its defect"

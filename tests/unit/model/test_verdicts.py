"""One order and one set of each kind."""

from __future__ import annotations

from typing import get_args

from conformance.model.verdicts import (
    ALARMING,
    CONFORMING,
    NONCONFORMING,
    NOTABLE,
    SILENT,
    VERDICTS,
    Verdict,
    in_order,
    severity,
)


def test_every_verdict_has_a_meaning_and_a_place() -> None:
    assert tuple(VERDICTS) == get_args(Verdict)
    assert {*NOTABLE} == {*VERDICTS} - SILENT - {"pass"}
    assert {"error"} == ALARMING - NONCONFORMING and not (ALARMING | SILENT) & CONFORMING
    assert {*VERDICTS} - ALARMING - CONFORMING - SILENT == {"known"}


def test_orders() -> None:
    assert in_order({"stale": 1, "pass": 2, "unheard-of": 3, "fail": 0}) == [("pass", 2), ("stale", 1)]
    assert sorted(["pass", "known", "crash", "unheard-of"], key=severity)[:2] == ["crash", "known"]

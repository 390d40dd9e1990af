"""From outcomes to how a test ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from conformance.cases.load import Entry
from conformance.cases.yaml12 import place_of
from conformance.model.classes import CLASS_LETTERS
from conformance.model.outcome import Outcome, number
from conformance.model.verdicts import SILENT
from conformance.model.wording import facts, message, title
from conformance.places import CASES
from conformance.plain import plain, plain_lines
from conformance.plugin.subjects import UnderTest

__all__ = ["conclude"]

SHOWN = 5  # findings of one test in full


class Ending(Protocol):
    """A test that ends: a case on a backend."""

    entry: Entry
    under_test: UnderTest
    user_properties: list[tuple[str, object]]


def explanation(item: Ending, findings: Sequence[Outcome]) -> str:
    """The first finding on a line of its own, the case and its place, and then what is known of each finding."""
    first, subject = findings[0], item.under_test.subject()
    place = place_of(item.entry.file, ("cases", item.entry.index))
    said = _first_line(message(first)) or first.verdict
    lines = [f"{first.verdict}: {said}", f"{place.file}:{place.line}: {plain(item.entry.case.why)}"]
    for each in findings[:SHOWN]:
        lines += ["", f"{each.verdict.upper()}  {plain(subject.id.title)}: {each.op}, {title(each)}"]
        source = (subject.sources or {}).get(each.op)
        for name, value in facts(each, item.under_test.found.spec, source, _cases(item.entry.file)):
            lines.append(f"  {name:<11}  {value}".replace("\n", "\n" + " " * 15))
    hidden = len(findings) - SHOWN
    return "\n".join([*lines, "", f"… and {hidden} more checks of this case"] if hidden > 0 else lines)


def _cases(file: Path) -> tuple[str, ...]:
    """What ``--cases`` of other commands takes for a case of ``file``: nothing for one of the suite."""
    if file.resolve().is_relative_to(CASES.resolve()):
        return ()
    return (str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file),)


def _first_line(text: str) -> str:
    """A crash has a tail of its log, which belongs where there is room for it."""
    return next(iter(plain_lines(text)), "")


def conclude(item: Ending, outcomes: Sequence[Outcome], *, calling: bool) -> None:
    """End the test as its verdicts say: first in set-up, where errors belong, then in the call.

    A fail or an outdated register entry fails; else a crash, a timeout, a call that was not reached or a fault of the
    harness is an error; else a known defect is an expected failure; else nothing that was supported is skipped; and all
    others pass. Raises what ends a test in pytest.
    """
    by_verdict: dict[str, list[Outcome]] = {}
    for each in outcomes:
        by_verdict.setdefault(each.verdict, []).append(each)
    failed = [*by_verdict.get("fail", ()), *by_verdict.get("stale", ())]
    ended = ("crash", "timeout", "unreproduced", "error")
    broken = [each for verdict in ended for each in by_verdict.get(verdict, ())]
    broken += [each for each in by_verdict.get("not run", ()) if each.is_lost]
    if not calling:
        if not outcomes:
            pytest.fail("no outcome was given for this case", pytrace=False)
        if broken and not failed:
            pytest.fail(explanation(item, broken), pytrace=False)
        return
    item.user_properties.extend(_properties(item.under_test.subject().id.title, outcomes, by_verdict))
    if failed:
        pytest.fail(explanation(item, [*failed, *broken]), pytrace=False)
    if known := by_verdict.get("known"):
        pytest.xfail("; ".join(dict.fromkeys(_first_line(message(each)) for each in known[:SHOWN])))
    if set(by_verdict) <= SILENT:
        reason = "; ".join(dict.fromkeys(_first_line(f"{each.verdict}: {message(each)}") for each in outcomes[:SHOWN]))
        raise pytest.skip.Exception(reason, _use_item_location=True)


def _properties(
    backend: str, outcomes: Sequence[Outcome], by_verdict: dict[str, list[Outcome]]
) -> list[tuple[str, object]]:
    """For JUnit and other reports: backend, counts of verdicts, the worst class and ulp, and what is declared."""
    found: list[tuple[str, object]] = [("backend", plain(backend))]
    found += [(verdict, len(some)) for verdict, some in by_verdict.items()]
    letters = [each.class_ for each in outcomes if each.class_ in CLASS_LETTERS]
    if letters:
        found.append(("class", max(letters, key=lambda letter: CLASS_LETTERS.index(letter))))
    ulps = [number(each.ulp) for each in outcomes if each.ulp is not None]
    if ulps:
        found.append(("ulp", max(ulps)))
    found += [("deviation-policy", _first_line(message(each))) for each in by_verdict.get("deviation", ())[:SHOWN]]
    return found

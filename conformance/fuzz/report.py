"""What a search has found, for programs and for people."""

from __future__ import annotations

import msgspec

from conformance.fuzz.causes import Cause
from conformance.fuzz.pool import Near
from conformance.fuzz.search import Excused, Search
from conformance.fuzz.traits import shown
from conformance.model.outcome import Outcome
from conformance.model.verdicts import NONCONFORMING, SILENT, Verdict, in_order
from conformance.model.wording import message
from conformance.plain import plural

__all__ = ["ExcusedReport", "FoundCause", "FuzzReport", "NearestReport", "exit_code", "report_of", "summary_lines"]


class FoundCause(msgspec.Struct, frozen=True, kw_only=True):
    """A cause of failures: ``case`` is the smallest that shows it, in ``file`` where one was written.

    ``traits`` say what is unusual about it. ``cases`` failed for it, of which ``first`` came ``after`` so many others;
    ``again`` is false where the case does not fail so when it is asked alone. ``outcome`` is what came of ``case``.
    """

    op: str
    check: str
    verdict: Verdict
    traits: list[str]
    case: str
    file: str
    cases: int
    first: str
    after: int
    again: bool
    message: str
    outcome: Outcome


class ExcusedReport(msgspec.Struct, frozen=True, kw_only=True):
    """A known defect, or a declared policy, with the ``cases`` that showed it and the ``first`` of them."""

    name: str
    cases: int
    first: str
    after: int


class NearestReport(msgspec.Struct, frozen=True, kw_only=True):
    """The largest error over its bound among all that passed."""

    ratio: float
    op: str
    check: str
    dtype: str
    case: str


class FuzzReport(msgspec.Struct, frozen=True, kw_only=True):
    """A search: what was asked, what failed and why, and what is not a failure.

    ``pairs`` counts the pairs of features that cases had together. ``known`` are entries of the backend's register,
    ``resembling`` those that would describe a failure of another case, ``policies`` the declared ones by which results
    deviate. ``lost`` says why the search could not go on, ``interrupted`` that somebody ended it.
    """

    backend: str
    versions: dict[str, str]
    suite: str
    seed: int
    cases: int
    seconds: float
    pairs: int
    verdicts: dict[Verdict, int]
    causes: list[FoundCause]
    known: list[ExcusedReport]
    resembling: list[ExcusedReport]
    policies: list[ExcusedReport]
    nearest: NearestReport | None
    lost: str = ""
    interrupted: bool = False


def report_of(search: Search, seconds: float, files: dict[str, str], *, suite: str, interrupted: bool) -> FuzzReport:
    """The report of a search; ``files`` maps the ids of cases to where they were written."""
    record = search.backend.record
    return FuzzReport(
        backend=record.name,
        versions=record.versions,
        suite=suite,
        seed=search.seed,
        cases=search.asked,
        seconds=round(seconds, 3),
        pairs=len(search.pairs),
        verdicts=dict(in_order(search.verdicts)),  # type: ignore[arg-type]
        causes=[_found(each, files.get(each.case.id, "")) for each in search.causes.all],
        known=_excused(search.known),
        resembling=_excused(search.resembling),
        policies=_excused(search.policies),
        nearest=_nearest(search.pool.nearest),
        lost=search.lost,
        interrupted=interrupted,
    )


def _found(cause: Cause, file: str) -> FoundCause:
    return FoundCause(
        op=cause.kind.op,
        check=cause.kind.check,
        verdict=cause.kind.verdict,
        traits=shown(cause.traits),
        case=cause.case.id,
        file=file,
        cases=cause.cases,
        first=cause.first,
        after=cause.after,
        again=cause.again,
        message=message(cause.outcome),
        outcome=cause.outcome,
    )


def _excused(found: dict[str, Excused]) -> list[ExcusedReport]:
    return [
        ExcusedReport(name=name, cases=len(each.cases), first=next(iter(each.cases)), after=each.after)
        for name, each in found.items()
    ]


def _nearest(near: Near | None) -> NearestReport | None:
    if near is None:
        return None
    case = f"fuzz.{near.recipe.name}"
    return NearestReport(ratio=near.ratio, op=near.op, check=near.check, dtype=near.dtype, case=case)


def exit_code(report: FuzzReport) -> int:
    """1 where something was found; 3 where the adapter or the harness is at fault, or nothing was checked; else 0."""
    verdicts = {each.verdict for each in report.causes}
    if verdicts & NONCONFORMING:
        return 1
    return 3 if "error" in verdicts or report.lost or SILENT.issuperset(report.verdicts) else 0


def summary_lines(report: FuzzReport) -> list[str]:
    """The report in lines."""
    asked = plural(report.cases, "case")
    lines = [
        f"{report.backend}: {asked} in {report.seconds:.1f} s, seed {report.seed}; {report.pairs:,} pairs of features"
    ]
    if report.nearest is not None:
        near = report.nearest
        what = f"{near.op} {near.check} in {near.dtype}, {near.case}"
        lines.append(f"largest error that passed: {near.ratio:.4g} of its bound ({what})")
    for kind, found in (("known defect", report.known), ("like the known defect", report.resembling)):
        lines += [f"{kind} {each.name}: {plural(each.cases, 'case')}, first {each.first}" for each in found]
    lines += [f"declared policy {each.name}: {plural(each.cases, 'case')}" for each in report.policies]
    if report.lost:
        lines.append(f"the search could not go on: {report.lost}")
    if report.interrupted:
        lines.append("interrupted: this is what there is so far")
    nothing = "nothing was checked" if SILENT.issuperset(report.verdicts) else "nothing found"
    lines.append(f"{plural(len(report.causes), 'cause')} of failure" if report.causes else nothing)
    for number, each in enumerate(report.causes, 1):
        lines += _cause_lines(number, each)
    return lines


def _cause_lines(number: int, cause: FoundCause) -> list[str]:
    unusual = ", ".join(cause.traits) or "nothing unusual"
    lines = [
        f"{number:3d}. {cause.op} {cause.check}: {cause.verdict} in {plural(cause.cases, 'case')}: {unusual}",
        f"     {cause.message}".replace("\n", "\n     "),
    ]
    if not cause.again:
        lines.append("     not again when it was asked alone: calls before it have a part in it")
    return [*lines, f"     {cause.file or cause.case}"]

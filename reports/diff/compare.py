"""Compares two runs by what names each check: case, backend, dtype, layout, operation, reduction, check."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from conformance.model.classes import CLASS_LETTERS
from conformance.model.errors import UsageError
from conformance.model.outcome import Number, as_json
from conformance.model.verdicts import ALARMING, CONFORMING, SILENT
from conformance.model.wording import check_name, message
from conformance.reports.columns import fact_text
from conformance.reports.diff.document import KEY, ChangedAccuracy, ChangedVerdict, CountsInBoth, Diff, Setting
from conformance.reports.merge import whole_run
from conformance.reports.relations import Relations
from conformance.results.store import Run

if TYPE_CHECKING:
    from conformance.reports.benchmarks.comparison.rows import SpeedComparison

__all__ = ["DiffSettings", "compare_runs"]


@dataclass(frozen=True)
class DiffSettings:
    """How much a largest error must grow or shrink to be shown: by ``factor``, and to ``floor`` ulp at least.

    A run gives the same numbers whenever the same versions run on the same machine; another processor's vector units
    may move a last bit. ``exact``: every outcome is to be in both runs as often, with the same verdict and reason.
    """

    factor: float = 2.0
    floor: float = 1.0
    exact: bool = False


#: Of each check of the two runs the last outcome, old (a) beside new (b); ``same`` joins a run's checks to the other's.
_NAMES = ("backend", "case", "dtype", "layout", "op", "reduction", "check", "policy", "aspect")
_SIDE = ", ".join(f'"{name}"' for name in _NAMES)
_SIDES = f"""
create table sides as select run, {_SIDE}, verdict, class, ulp, seq,
    [reason, detail, observed::varchar, expected::varchar] as said
from outcomes qualify row_number() over (partition by run, {_SIDE} order by seq desc) = 1;
create view changes as select {_SIDE}, a.verdict as old, b.verdict as new, a.class as old_class, b.class as new_class,
    a.ulp as old_ulp, b.ulp as new_ulp, a.said as old_said, b.said as new_said, a.seq as old_seq, b.seq as new_seq
from (from sides where run = 0) a full join (from sides where run = 1) b using ({_SIDE});
"""


def compare_runs(
    old: Path,
    new: Path,
    settings: DiffSettings = DiffSettings(),
    speed: SpeedComparison | None = None,
    incomparable: Sequence[str] = (),
) -> Diff:
    """What changed from the run in ``old`` to that in ``new``; ``speed`` and ``incomparable`` are taken as they are.

    A regression is a check that now fails, crashes, times out or errs and did none of these before, or is not reached
    since the process had died; one that conformed and is a known defect now; a register entry that is out of date; a
    process that dies now and then; a backend that ran and cannot be started; a run that is cut off. Raises
    ``UsageError`` where a run cannot be read, and where no check is in both.
    """
    relations = Relations([whole_run(old), whole_run(new)], every=True)
    relations.execute(_SIDES)
    comparison = _Comparison(relations, *relations.runs)
    ((compared,),) = relations.query("select count(*) from changes where old_seq is not null and new_seq is not null")
    sizes = relations.query("select count(*) filter (old_seq is not null), count(new_seq) from changes")[0]
    if all(sizes) and not compared:
        raise UsageError(
            f"{old} and {new} have no check in common",
            hint="name two runs of the same backends; backends in the old one: " + ", ".join(comparison.ran(0)),
        )
    found: defaultdict[str, list[ChangedVerdict]] = defaultdict(list)
    for name, change in (*comparison.verdicts(), *comparison.starts()):
        found[name].append(change)
    for changes in found.values():
        changes.sort(key=lambda change: change.key)
    cases = comparison.only_in_one('"case"')
    regressed = bool(found["regressions"]) or (speed is not None and speed.regressed)
    return Diff(
        old=str(old),
        new=str(new),
        regressed=regressed,
        compared=compared,
        counts=comparison.counts(),
        regressions=found["regressions"],
        fresh_failures=found["fresh_failures"],
        improvements=found["improvements"],
        policies=found["policies"],
        other=found["other"],
        accuracy=comparison.accuracy(settings),
        unequal=comparison.unequal() if settings.exact else [],
        new_cases={} if relations.runs[0].truncated else {name: after for name, (_, after) in cases.items() if after},
        gone_cases={} if relations.runs[1].truncated else {name: b for name, (b, _) in cases.items() if b},
        environment=_environment(*relations.runs),
        incomparable=[*comparison.incomparable(), *incomparable],
        speed=speed,
    )


@dataclass(frozen=True)
class _Comparison:
    """Two runs in one database: ``old`` is run 0 there, ``new`` run 1."""

    relations: Relations
    old: Run
    new: Run

    def ran(self, place: int) -> list[str]:
        """The backends that ran, by name."""
        run = (self.old, self.new)[place]
        return sorted(name for name, record in run.backends.items() if not record.error)

    def verdicts(self) -> list[tuple[str, ChangedVerdict]]:
        """Changes of verdict, and policies that were observed otherwise, each with the list that it belongs to.

        A failure that only the newer run has is not a regression of what was known.
        """
        rows = self.relations.query(
            f"""select {_SIDE}, old, new, old_seq, new_seq from changes where new_seq is not null and (
            old <> new or (old is null and list_contains(?, new) and list_contains(?, backend))
            or ("check" = 'policy' and old = new and not list_contains(?, new) and old_said <> new_said))""",
            [sorted(ALARMING), self.ran(0), [*SILENT]],
        )
        said = self.relations.at({seq for row in rows for seq in row[-2:] if seq is not None})
        deaths = "select distinct backend from outcomes where run = 0 and verdict = 'unreproduced'"
        died = {name for (name,) in self.relations.query(deaths)}
        found = []
        for *names, policy, aspect, before, after, old_seq, new_seq in rows:
            key = dict(zip(KEY, names, strict=True)) | {"check": check_name(names[-1], policy, aspect)}
            if before == after:
                both = {"old": message(said[old_seq]), "new": message(said[new_seq])}
                if both["old"] != both["new"]:  # runs of two schemas hold the same in other fields
                    found.append(("policies", ChangedVerdict(**key, **both)))
                continue
            change = ChangedVerdict(**key, old=before, new=after, message=message(said[new_seq]))
            if before is None:
                # These two checks are recorded only where they fail; a death that comes and goes is not news.
                new = names[-1] == "register" or (names[-1] == "process" and names[0] not in died)
                found.append(("regressions" if new else "fresh_failures", change))
                continue
            if names[-1] == "policy":
                found.append(("policies", change))
            found.append((_kind(before, after, lost=said[new_seq].is_lost), change))
        return found

    def accuracy(self, settings: DiffSettings) -> list[ChangedAccuracy]:
        """Checks of one verdict whose class changed, or whose error moved beyond the threshold; worse ones first."""
        rows = self.relations.query(
            f"""select {_SIDE}, old_class, new_class, old_ulp, new_ulp from changes
            where old = new and (old_class is distinct from new_class or old_ulp is distinct from new_ulp)"""
        )
        found = []
        for *names, policy, aspect, old_class, new_class, old, new in rows:
            if old_class == new_class and not _moved(old, new, settings):
                continue
            worse = _rank(new_class) > _rank(old_class) if old_class != new_class else (new or 0.0) > (old or 0.0)
            key = dict(zip(KEY, names, strict=True)) | {"check": check_name(names[-1], policy, aspect)}
            sizes: dict[str, Any] = {"old_ulp": _written(old), "new_ulp": _written(new)}
            found.append(ChangedAccuracy(**key, old_class=old_class, new_class=new_class, **sizes, worse=worse))
        return sorted(found, key=lambda change: (not change.worse, change.key))

    def unequal(self) -> list[ChangedVerdict]:
        """The outcomes that one run has more often than the other, with verdict and reason, by check."""
        said = f"{_SIDE}, quantity, verdict, reason"
        rows = self.relations.query(
            f"""select {said}, count(*) filter (run = 0) as old, count(*) filter (run = 1) as new
            from outcomes group by {said} having old <> new order by all"""
        )
        found: defaultdict[tuple[str, ...], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for *names, _, verdict, reason, old, new in rows:
            found[tuple(names)][0 if old > new else 1].append(f"{verdict} ({reason})" if reason else verdict)
        return [
            ChangedVerdict(
                **dict(zip(KEY, names, strict=True)) | {"check": check_name(names[-1], policy, aspect)},
                old=", ".join(before) or None,
                new=", ".join(after) or None,
            )
            for (*names, policy, aspect), (before, after) in found.items()
        ]

    def starts(self) -> list[tuple[str, ChangedVerdict]]:
        """Backends that ran and cannot be started, and a run that is cut off."""
        lost = [
            ChangedVerdict(
                backend=name, case="(the backend)", check="start", old="ran", new="did not start", message=record.error
            )
            for name, record in sorted(self.new.backends.items())
            if record.error and name in self.ran(0)
        ]
        if self.new.truncated and not self.old.truncated:
            said = "it has no footer: resume it, or run it again"
            lost.append(
                ChangedVerdict(
                    backend="(the run)", case="", check="complete", old="complete", new="cut off", message=said
                )
            )
        return [("regressions", change) for change in lost]

    def counts(self) -> dict[str, CountsInBoth]:
        """Verdicts of every backend in both runs."""
        found: defaultdict[str, tuple[Counter[str], Counter[str]]] = defaultdict(lambda: (Counter(), Counter()))
        for run, backend, verdict, count in self.relations.query(
            "select run, backend, verdict, count(*) from outcomes group by all order by backend, min(seq)"
        ):
            found[backend][run][verdict] = count
        return {name: CountsInBoth(old=dict(before), new=dict(after)) for name, (before, after) in found.items()}

    def only_in_one(self, what: str) -> dict[str, tuple[list[str], list[str]]]:
        """Cases (or dtypes) that only the old and only the new run holds, for each backend that is in both."""
        rows = self.relations.query(
            f"select backend, {what}, min(run) from outcomes group by all having count(distinct run) = 1 order by all"
        )
        both = {*self.ran(0)} & {*self.ran(1)}
        found: defaultdict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for backend, name, run in rows:
            if backend in both:
                found[backend][run].append(name)
        return found

    def incomparable(self) -> list[str]:
        """What only one run holds, in words."""
        rows = self.relations.query(
            """select backend, count(*) from changes c where new_seq is null
            and exists (select 1 from sides s where s.run = 1 and s.backend = c.backend and s."case" = c."case")
            and exists (select 1 from sides s where s.run = 1 and s.backend = c.backend and s.dtype = c.dtype)
            group by all order by all"""
        )
        said = [f"{backend}: {count} checks of shared cases are only in the old run" for backend, count in rows]
        for name in sorted(name for name, record in self.old.backends.items() if record.error):
            if name in self.new.backends:
                where = "the old run" if name in self.ran(1) else "either run"
                said.append(f"{name} did not start in {where}")
        for place, run, which in ((0, self.old, "old"), (1, self.new, "new")):
            other = (self.new, self.old)[place]
            said += [f"{name} is only in the {which} run" for name in self.ran(place) if name not in other.backends]
            if run.truncated:
                said.append(f"the {which} run is truncated (no footer): what is missing there does not count as gone")
        for backend, (before, after) in self.only_in_one("dtype").items():
            only = [f"{_listed(before)} only in the old run"] * bool(before)
            only += [f"{_listed(after)} only in the new run"] * bool(after)
            said.append(f"{backend}: {', '.join(only)}")
        return said


def _kind(before: str, after: str, *, lost: bool) -> str:
    if after in ALARMING and before not in ALARMING:
        return "regressions"
    if lost and before not in SILENT:
        return "regressions"  # it was not reached, for the process had died
    if after == "known" and before in CONFORMING:
        return "regressions"  # what conformed is wrong now, registered or not
    if after in CONFORMING and (before in ALARMING or before == "known"):
        return "improvements"
    return "other"


def _moved(old: float | None, new: float | None, settings: DiffSettings) -> bool:
    if old is None or new is None or math.isnan(old) or math.isnan(new):
        return (old is None) != (new is None)
    low, high = sorted((old, new))
    return high > settings.floor and high > settings.factor * low


def _environment(old: Run, new: Run) -> list[Setting]:
    before, after = old.header, new.header
    rows: list[tuple[str, Any, Any]] = [("suite", before.suite, after.suite), ("commit", before.commit, after.commit)]
    for key in sorted(before.environment.keys() | after.environment.keys()):
        if key not in ("suite", "commit"):
            rows.append((key, before.environment.get(key), after.environment.get(key)))
    for key in sorted(before.selection.keys() | after.selection.keys()):
        rows.append((f"selection: {key}", before.selection.get(key), after.selection.get(key)))
    for name in sorted(old.backends.keys() & new.backends.keys()):
        one, two = old.backends[name], new.backends[name]
        if one.error or two.error:
            continue
        for ones, twos in ((one.versions, two.versions), (one.settings, two.settings)):
            rows += [(f"{name}: {key}", ones.get(key), twos.get(key)) for key in sorted(ones.keys() | twos.keys())]
    return [Setting(key=key, old=fact_text(a) or "–", new=fact_text(b) or "–") for key, a, b in rows if a != b]


def _written(value: float | None) -> Number | None:
    return cast(Number | None, as_json(value))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _rank(letter: str | None) -> int:
    return CLASS_LETTERS.index(letter) if letter in CLASS_LETTERS else -1

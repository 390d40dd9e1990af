"""Compares two runs by what names each check: case, backend, dtype, layout, operation, reduction, check."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.model.errors import UsageError
from conformance.model.records import Outcome
from conformance.model.verdicts import ALARMING, CONFORMING, SILENT
from conformance.model.wording import message
from conformance.reports.diff.rows import Key, Side, read_side

if TYPE_CHECKING:
    from conformance.reports.benchmarks.comparison.rows import Comparison as Speed

__all__ = ["Accuracy", "Change", "Comparison", "Settings", "compare", "compare_runs"]

_CLASSES = "ABCDEF"


@dataclass(frozen=True)
class Settings:
    """How much a largest error must grow or shrink to be told: by ``factor``, and to ``floor`` ulp at least.

    A run gives the same numbers whenever the same versions run on the same machine; another processor's vector units
    may move a last bit.
    """

    factor: float = 2.0
    floor: float = 1.0


@dataclass(frozen=True)
class Change:
    """A check whose verdict changed; ``old`` or ``new`` is None where only one run made it."""

    key: Key
    old: str | None
    new: str | None
    message: str = ""


@dataclass(frozen=True)
class Accuracy:
    """A check of unchanged verdict whose class or largest error changed."""

    key: Key
    old_class: str | None
    new_class: str | None
    old_ulp: float | None
    new_ulp: float | None

    @property
    def worse(self) -> bool:
        """Whether the newer run is less accurate."""
        if self.old_class != self.new_class:
            return _rank(self.new_class) > _rank(self.old_class)
        return (self.new_ulp or 0.0) > (self.old_ulp or 0.0)


@dataclass(eq=False)
class Comparison:
    """What changed. ``incomparable`` says in words what only one run holds; ``environment`` are old and new values."""

    old: str
    new: str
    regressions: list[Change] = field(default_factory=list)
    improvements: list[Change] = field(default_factory=list)
    other: list[Change] = field(default_factory=list)
    policies: list[Change] = field(default_factory=list)
    accuracy: list[Accuracy] = field(default_factory=list)
    fresh_failures: list[Change] = field(default_factory=list)
    new_cases: dict[str, list[str]] = field(default_factory=dict)
    gone_cases: dict[str, list[str]] = field(default_factory=dict)
    environment: list[tuple[str, str, str]] = field(default_factory=list)
    incomparable: list[str] = field(default_factory=list)
    compared: int = 0
    counts: dict[str, tuple[dict[str, int], dict[str, int]]] = field(default_factory=dict)
    speed: Speed | None = None

    @property
    def regressed(self) -> bool:
        """Whether there is any regression, of time too; failures of checks that the old run did not make are none."""
        return bool(self.regressions) or (self.speed is not None and self.speed.regressed)


def compare_runs(old: Path, new: Path, settings: Settings = Settings()) -> Comparison:
    """Read and compare two runs; see :func:`compare`. Raises ``UsageError`` where one cannot be read."""
    return compare(read_side(old), read_side(new), settings, names=(str(old), str(new)))


def compare(old: Side, new: Side, settings: Settings, names: tuple[str, str] = ("old", "new")) -> Comparison:
    """What changed from ``old`` to ``new``.

    A regression is a check that now fails, crashes, times out or errs and did none of these before; one that conformed
    and is a known defect now; a register entry that is out of date; a backend that ran and cannot be started; a run
    that is cut off. Raises ``UsageError`` where no check is in both, for then nothing can be said.
    """
    result = Comparison(*names)
    for key, row in new.rows.items():
        before = old.rows.get(key)
        if before is None:
            _only_new(result, old, key, row)
            continue
        result.compared += 1
        if before.verdict != row.verdict:
            _verdict(result, key, before, row)
        elif before.class_ != row.class_ or before.ulp != row.ulp:
            _accuracy(result, key, before, row, settings)
        elif row.check == "policy" and row.verdict not in SILENT and _seen(before) != _seen(row):
            result.policies.append(Change(key, message(before), message(row)))
    if old.rows and new.rows and not result.compared:
        raise UsageError(
            f"{names[0]} and {names[1]} have no check in common",
            hint="name two runs of the same backends; backends in the old one: " + ", ".join(sorted(old.backends)),
        )
    _only_old(result, old, new)
    _failed(result, old, new)
    _cases(result, old, new)
    _environment(result, old, new)
    for name in sorted(old.counts.keys() | new.counts.keys()):
        result.counts[name] = (dict(old.counts.get(name, {})), dict(new.counts.get(name, {})))
    for each in (result.regressions, result.improvements, result.other, result.policies, result.fresh_failures):
        each.sort(key=lambda change: change.key)
    result.accuracy.sort(key=lambda change: (not change.worse, change.key))
    return result


def _seen(row: Outcome) -> tuple[object, ...]:
    """What the check of a policy found."""
    return (row.reason, row.observed, row.expected, row.detail)


def _verdict(result: Comparison, key: Key, before: Outcome, row: Outcome) -> None:
    change = Change(key, before.verdict, row.verdict, message(row))
    if row.check == "policy":
        result.policies.append(change)
    if row.verdict in ALARMING and before.verdict not in ALARMING:
        result.regressions.append(change)
    elif row.verdict == "known" and before.verdict in CONFORMING:
        result.regressions.append(change)  # what conformed is wrong now, registered or not
    elif row.verdict in CONFORMING and (before.verdict in ALARMING or before.verdict == "known"):
        result.improvements.append(change)
    else:
        result.other.append(change)


def _accuracy(result: Comparison, key: Key, before: Outcome, row: Outcome, settings: Settings) -> None:
    old, new = _number(before.ulp), _number(row.ulp)
    if before.class_ == row.class_ and not _moved(old, new, settings):
        return
    result.accuracy.append(Accuracy(key, before.class_, row.class_, old, new))


def _moved(old: float | None, new: float | None, settings: Settings) -> bool:
    if old is None or new is None or math.isnan(old) or math.isnan(new):
        return (old is None) != (new is None)
    low, high = sorted((old, new))
    return high > settings.floor and high > settings.factor * low


def _only_new(result: Comparison, old: Side, key: Key, row: Outcome) -> None:
    """A check that only the newer run made: a failure is told, but is no regression of what was known."""
    if row.verdict in ALARMING and row.backend in old.backends:
        if row.check == "register":
            result.regressions.append(Change(key, None, row.verdict, message(row)))
        else:
            result.fresh_failures.append(Change(key, None, row.verdict, message(row)))


def _only_old(result: Comparison, old: Side, new: Side) -> None:
    """Checks of shared cases and dtypes that the newer run no longer makes."""
    missing: dict[str, int] = {}
    for key in old.rows.keys() - new.rows.keys():
        backend, case, dtype = key[:3]
        if case in new.cases.get(backend, ()) and dtype in new.dtypes.get(backend, ()):
            missing[backend] = missing.get(backend, 0) + 1
    for backend, count in sorted(missing.items()):
        result.incomparable.append(f"{backend}: {count} checks of shared cases are only in the old run")


def _failed(result: Comparison, old: Side, new: Side) -> None:
    for name, why in sorted(new.failed.items()):
        if name in old.backends:
            key = (name, "(the backend)", "", "", "", "", "start")
            result.regressions.append(Change(key, "ran", "did not start", why))
    for side, other, which in ((old, new, "old"), (new, old, "new")):
        for name in sorted(side.backends.keys() - other.run.backends.keys()):
            result.incomparable.append(f"{name} is only in the {which} run")
        if side.run.truncated:
            text = f"the {which} run is truncated (no footer): what is missing there is not told as gone"
            result.incomparable.append(text)
    if new.run.truncated and not old.run.truncated:
        key = ("(the run)", "", "", "", "", "", "complete")
        result.regressions.append(Change(key, "complete", "cut off", "it has no footer: resume it, or run it again"))


def _cases(result: Comparison, old: Side, new: Side) -> None:
    for name in sorted(old.backends.keys() & new.backends.keys()):
        before, after = old.cases.get(name, set()), new.cases.get(name, set())
        if after - before and not old.run.truncated:
            result.new_cases[name] = sorted(after - before)
        if before - after and not new.run.truncated:
            result.gone_cases[name] = sorted(before - after)
        one, two = old.dtypes.get(name, set()), new.dtypes.get(name, set())
        if one != two and one and two:
            only = [f"{_listed(one - two)} only in the old run"] if one - two else []
            only += [f"{_listed(two - one)} only in the new run"] if two - one else []
            result.incomparable.append(f"{name}: {', '.join(only)}")


def _environment(result: Comparison, old: Side, new: Side) -> None:
    before, after = old.run.header, new.run.header
    rows: list[tuple[str, Any, Any]] = [("suite", before.suite, after.suite), ("commit", before.commit, after.commit)]
    for key in sorted(before.environment.keys() | after.environment.keys()):
        if key not in ("suite", "commit"):
            rows.append((key, before.environment.get(key), after.environment.get(key)))
    for key in sorted(before.selection.keys() | after.selection.keys()):
        rows.append((f"selection: {key}", before.selection.get(key), after.selection.get(key)))
    for name in sorted(old.backends.keys() & new.backends.keys()):
        one, two = old.backends[name], new.backends[name]
        for key in sorted(one.versions.keys() | two.versions.keys()):
            rows.append((f"{name}: {key}", one.versions.get(key), two.versions.get(key)))
        for key in sorted(one.settings.keys() | two.settings.keys()):
            rows.append((f"{name}: {key}", one.settings.get(key), two.settings.get(key)))
    result.environment = [(key, _shown(a), _shown(b)) for key, a, b in rows if a != b]


def _shown(value: Any) -> str:
    return "–" if value is None else str(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _number(value: float | str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _rank(letter: str | None) -> int:
    return _CLASSES.find(letter) if letter else -1

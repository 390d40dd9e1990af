"""The rows of ``conformance list``, topic by topic: no framework is imported for any of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.cli.tables import Row
from conformance.model.errors import Place, UsageError
from conformance.places import CASES, PROFILES
from conformance.plain import command_line

if TYPE_CHECKING:
    from conformance.profiles.profile import Defect

__all__ = ["OF_CASES", "OTHERS", "observed_rows", "policy_rows"]


class _Declared(msgspec.Struct, frozen=True):
    """The part of a profile's policy that a listing shows."""

    value: Any
    documentation: str = ""
    note: str = ""
    variants: dict[str, Any] = {}


class _Profile(msgspec.Struct, frozen=True):
    """The part of a profile that a listing shows; all the rest is ``lint``'s to check."""

    backend: str
    policies: dict[str, _Declared] = {}


# -- cases -----------------------------------------------------------------------------------------------------------


def _case_rows(paths: Sequence[Path], expression: str | None) -> list[Row]:
    """The selected cases, in the order of the files."""
    from conformance.cases.load import load_suite
    from conformance.cases.quick import load_quick
    from conformance.cases.select import select
    from conformance.places import QUICK

    quick = load_quick(QUICK).quick
    return [
        {
            "case": entry.case.id,
            "theme": entry.theme,
            "op": entry.case.op,
            "tier": "quick" if entry.case.id in quick else entry.case.tier,
            "memory_gib": round(entry.case.budget.memory / 2**30, 1) or None,
            "flags": list(entry.case.flags),
            "dtypes": list(entry.case.dtypes),
            "file": str(entry.file),
            "why": entry.case.why,
        }
        for entry in select(load_suite(paths).entries, expression=expression)
    ]


def _theme_rows(paths: Sequence[Path], expression: str | None) -> list[Row]:
    themes: dict[str, list[str]] = {}
    for row in _case_rows(paths, expression):
        themes.setdefault(row["theme"], []).append(row["op"])
    return [{"theme": name, "cases": len(ops), "ops": sorted(set(ops))} for name, ops in themes.items()]


def _flag_rows(paths: Sequence[Path], expression: str | None) -> list[Row]:
    """The flags of the selected cases; where nothing is selected, also those that no case has."""
    from conformance.cases.load import load_suite

    counts = Counter(flag for row in _case_rows(paths, expression) for flag in row["flags"])
    notes = load_suite(paths).notes
    explained = notes.flags if notes else {}
    known = [name for name in explained if expression is None or name in counts]
    rows: list[Row] = []
    for name in dict.fromkeys([*known, *counts]):
        note = explained.get(name)
        rows.append(
            {
                "flag": name,
                "cases": counts[name],
                "bug_class": note.bug_class if note else "",
                "effect": note.effect if note else "",
                "references": list(note.references) if note else [],
            }
        )
    return rows


# -- backends --------------------------------------------------------------------------------------------------------


def _backend_rows() -> list[Row]:
    """Every backend of the suite, installed or not, and those that other packages offer."""
    from importlib.metadata import entry_points

    from conformance.backends import discovery

    rows = [_backend_row(name) for name in discovery.names()]
    for point in sorted(entry_points(group=discovery.GROUP), key=lambda each: each.name):
        if point.name not in discovery.names():
            version = point.dist.version if point.dist else ""
            rows.append(_backend(point.name, point.value, "installed", version, note="offered by another package"))
    return rows


def _backend_row(name: str) -> Row:
    from conformance.backends import discovery
    from conformance.backends.errors import BackendLookupError, FrameworkMissing

    try:
        declared = discovery.head(name)
        title, distribution = str(declared.get("title", name)), str(declared.get("distribution", name))
        found = discovery.find(name)
    except FrameworkMissing as missing:
        return _backend(name, title, "missing", note=missing.hint)
    except BackendLookupError as error:
        return _backend(name, name, "broken", note=f"{error.problem}; hint: {error.hint}")
    version = _version(distribution, found.framework or name)
    row = _backend(name, title, "installed", version, found.devices or (), found.modes or ())
    return {**row, "dtypes": _dtypes(declared.get("dtypes"))}


def _dtypes(declared: Any) -> Any:
    """The dtypes that a profile declares: a list, or one for each operation; empty where it declares none: all."""
    return declared.get("value", []) if isinstance(declared, dict) else []


def _backend(
    name: str, title: str, state: str, version: str = "", devices: Any = (), modes: Any = (), note: str = ""
) -> Row:
    row: Row = {"backend": name, "title": title, "state": state, "version": version}
    return {**row, "devices": list(devices), "modes": list(modes), "dtypes": [], "note": note}


def _version(distribution: str, framework: str) -> str:
    """The version of the distribution (the first of several), or of whichever one provides the framework's module."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    for name in (distribution.split()[0], framework):  # to ask who provides a module is to read all that is installed
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    providers = packages_distributions().get(framework, [])
    return version(providers[0]) if providers else "unknown"


# -- profiles --------------------------------------------------------------------------------------------------------


def policy_rows() -> list[Row]:
    """A row for every policy and backend: the policy's values, normative first, and what the backend declares.

    Raises UsageError for a profile that is not valid.
    """
    from conformance.cases.yaml12 import read
    from conformance.model.policies import POLICIES, declarable

    profiles = []
    for file in sorted(PROFILES.glob("*.yaml")):
        try:
            profiles.append(msgspec.convert(read(file), _Profile))
        except msgspec.ValidationError as error:
            hint = "`conformance lint` says where"
            raise UsageError(f"not a valid profile: {error}", place=Place(file), hint=hint) from None
    rows: list[Row] = []
    for name in POLICIES:
        values = declarable(name)
        for profile in profiles:
            declared = profile.policies.get(name, _Declared(None))
            rows.append(
                {
                    "policy": name,
                    "values": values,
                    "backend": profile.backend,
                    "declared": declared.value,
                    "variants": declared.variants,
                    "documentation": declared.documentation,
                    "details": declared.note,
                }
            )
    return rows


def observed_rows(runs: Sequence[Path]) -> list[Row]:
    """A row for every policy and backend of some runs: declared there, observed there, and where the two differ."""
    from conformance.reports.merge import merge
    from conformance.reports.semantics import semantics
    from conformance.reports.semantics_text import semantics_rows

    return semantics_rows(semantics(merge(runs).relations))


def _defect_rows() -> list[Row]:
    """Every entry of every backend's register of known defects, with the command that shows it."""
    from conformance.cases.load import load_suite
    from conformance.profiles.load import load_profile

    dtypes = {entry.case.id: entry.case.dtypes for entry in load_suite((CASES,)).entries}
    rows: list[Row] = []
    for profile in map(load_profile, sorted(PROFILES.glob("*.yaml"))):
        for entry in profile.known:
            rows.append(
                {
                    "backend": profile.backend,
                    "defect": entry.id,
                    "severity": entry.severity,
                    "title": entry.title,
                    "why": entry.why,
                    "ops": entry.ops,
                    "dtypes": entry.dtypes,
                    "checks": entry.checks,
                    "seen": [*entry.reached, *entry.observed, *_bounds_of(entry)],
                    "versions": entry.versions,
                    "seen_on": entry.seen_on or profile.tested,
                    "machine": entry.machine,
                    "intermittent": entry.intermittent,
                    "message": entry.message,
                    "issue": entry.issue,
                    "date": entry.date,
                    "cases": entry.cases,
                    "shown_by": _shown_by(profile.backend, entry, dtypes),
                }
            )
    return rows


def _bounds_of(entry: Defect) -> list[str]:
    return [f"within the bounds of {entry.right_in}"] if entry.right_in else []


def _shown_by(backend: str, entry: Defect, dtypes: Mapping[str, Sequence[str]]) -> str:
    """The command that shows a defect: its derivation, or a run where a transformed call shows it.

    The widest dtype is the default, so that another one is named.
    """
    from conformance.profiles.profile import DEFAULT

    case = next((name for name in entry.cases if "*" not in name), entry.cases[0])
    spec = ":".join([backend, *(word for word in entry.modes[:1] if word != DEFAULT)])
    shown = [name for name in entry.dtypes if name in dtypes.get(case, (name,))]
    dtype = ("--dtype", shown[0]) if shown else ()
    if {"value", "gradient", "error", "warning"}.isdisjoint(entry.checks):
        return command_line("conformance", "run", "-b", spec, "-k", case, *dtype)
    return command_line("conformance", "explain", case, "-b", spec, *dtype)


# -- words -----------------------------------------------------------------------------------------------------------


def _verdict_rows() -> list[Row]:
    from conformance.model.verdicts import NONCONFORMING, VERDICTS

    return [{"verdict": v, "says": says, "fails_a_run": v in NONCONFORMING} for v, says in VERDICTS.items()]


def _layout_rows() -> list[Row]:
    from conformance.model.layouts import BETWEEN, LAYOUTS

    return [{"layout": name, "of_one_operand": name in BETWEEN, "memory": says} for name, says in LAYOUTS.items()]


def _schema_rows() -> list[Row]:
    from conformance.schemas.registry import DOCUMENTS

    return [{"schema": name, "title": each.title, "written_by": each.written_by} for name, each in DOCUMENTS.items()]


OF_CASES: dict[str, Callable[[Sequence[Path], str | None], list[Row]]] = {
    "cases": _case_rows,
    "flags": _flag_rows,
    "themes": _theme_rows,
}
OTHERS: dict[str, Callable[[], list[Row]]] = {
    "backends": _backend_rows,
    "policies": policy_rows,
    "defects": _defect_rows,
    "verdicts": _verdict_rows,
    "layouts": _layout_rows,
    "schemas": _schema_rows,
}

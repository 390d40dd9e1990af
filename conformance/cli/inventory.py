"""What ``conformance list`` says of backends and policies, without importing any framework."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.cli.tables import Row
from conformance.model.errors import Place, UsageError
from conformance.model.policies import POLICIES, declarable
from conformance.places import CASES, PROFILES

if TYPE_CHECKING:
    from conformance.profiles.profile import Defect

__all__ = ["backend_rows", "defect_rows", "observed_rows", "policy_rows"]


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


def backend_rows() -> list[Row]:
    """Every backend of the suite, installed or not, and those that other packages offer."""
    from conformance.backends import discovery

    rows = [_backend_row(name) for name in discovery.names()]
    for point in sorted(importlib.metadata.entry_points(group=discovery.GROUP), key=lambda each: each.name):
        if point.name not in discovery.names():
            version = point.dist.version if point.dist else ""
            rows.append(_row(point.name, point.value, "installed", version, [], [], "offered by another package"))
    return rows


def defect_rows() -> list[Row]:
    """Every entry of every backend's register of known defects, with the command that shows it."""
    from conformance.cases.load import load_suite
    from conformance.profiles.load import load_profile

    dtypes = {entry.case.id: entry.case.dtypes for entry in load_suite((CASES,)).entries}
    rows: list[Row] = []
    for file in sorted(PROFILES.glob("*.yaml")):
        profile = load_profile(file)
        for entry in profile.known:
            rows.append(
                {
                    "backend": profile.backend,
                    "defect": entry.id,
                    "why": entry.why,
                    "ops": list(entry.ops),
                    "dtypes": list(entry.dtypes),
                    "checks": list(entry.checks),
                    "seen": [*entry.reached, *entry.observed],
                    "versions": entry.versions,
                    "seen_on": list(entry.seen_on or profile.tested),
                    "machine": entry.machine,
                    "message": entry.message,
                    "issue": entry.issue,
                    "date": entry.date,
                    "cases": list(entry.cases),
                    "shown_by": _shown_by(profile.backend, entry, dtypes),
                }
            )
    return rows


def _shown_by(backend: str, entry: Defect, dtypes: Mapping[str, Sequence[str]]) -> str:
    """The command that shows a defect: its derivation, or a run where a transformed call shows it.

    The widest dtype is the default, so that another one is named.
    """
    case = next((name for name in entry.cases if "*" not in name), entry.cases[0])
    spec = ":".join([backend, *entry.modes[:1]])
    shown = [name for name in entry.dtypes if name in dtypes.get(case, (name,))]
    dtype = f" --dtype {shown[0]}" if shown else ""
    if {"value", "gradient", "error", "warning"}.isdisjoint(entry.checks):
        return f"conformance run -b {spec} -k {case}{dtype}"
    return f"conformance explain {case} -b {spec}{dtype}"


def _row(name: str, title: str, state: str, version: str, devices: list[str], modes: list[str], note: str) -> Row:
    return {
        "backend": name,
        "title": title,
        "state": state,
        "version": version,
        "devices": devices,
        "modes": modes,
        "note": note,
    }


def _backend_row(name: str) -> Row:
    from conformance.backends import discovery

    try:
        declared = discovery.profile(name)
        title, distribution = str(declared.get("title", name)), str(declared.get("distribution", name))
        found = discovery.find(name)
    except discovery.FrameworkMissing as missing:
        return _row(name, title, "missing", "", [], [], missing.hint)
    except discovery.BackendLookupError as error:
        return _row(name, name, "broken", "", [], [], str(error).replace("\n  ", "; "))
    version = _version(distribution, found.framework or name)
    return _row(name, title, "installed", version, list(found.devices or ()), list(found.modes or ()), "")


def _version(distribution: str, framework: str) -> str:
    """The version of the distribution, or of whichever one provides the framework's module."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        providers = importlib.metadata.packages_distributions().get(framework, [])
        return importlib.metadata.version(providers[0]) if providers else "unknown"


def policy_rows() -> list[Row]:
    """A row for every policy and backend: the policy's values, normative first, and what the backend declares."""
    rows: list[Row] = []
    profiles = _profiles()
    for name in POLICIES:
        values = declarable(name)
        for profile in profiles:
            declared = profile.policies.get(name)
            rows.append(
                {
                    "policy": name,
                    "values": values,
                    "backend": profile.backend,
                    "declared": declared.value if declared else None,
                    "variants": dict(declared.variants) if declared else {},
                    "documentation": declared.documentation if declared else "",
                    "details": declared.note if declared else "",
                }
            )
    return rows


def observed_rows(runs: Sequence[Path]) -> list[Row]:
    """A row for every policy and backend of some runs: declared there, observed there, and where the two differ."""
    from conformance.reports.merge import merge
    from conformance.reports.semantics import semantics
    from conformance.reports.semantics_text import semantics_rows

    return semantics_rows(semantics(merge(runs).relations))


def _profiles() -> list[_Profile]:
    from conformance.cases.yaml12 import read

    profiles = []
    for file in sorted(PROFILES.glob("*.yaml")):
        try:
            profiles.append(msgspec.convert(read(file), _Profile))
        except msgspec.ValidationError as error:
            raise UsageError(
                f"not a valid profile: {error}", place=Place(file), hint="`conformance lint` says where"
            ) from None
    return profiles

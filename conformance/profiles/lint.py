"""Check profiles beyond what loading them does: names that exist, values that fit, links that can be followed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.checks import Complaint, suggestion
from conformance.cases.complaints import complaints_of
from conformance.cases.lint import Finding
from conformance.cases.places import place_of
from conformance.cases.yaml12 import NodePath, read
from conformance.model.case import OPERATIONS, Case
from conformance.model.errors import Place, UsageError
from conformance.model.policies import POLICIES, Policies
from conformance.profiles.profile import Declared, Feature, Profile, load_profile
from conformance.profiles.register_lint import complaints_of_register

__all__ = ["lint_profiles"]

_DOCUMENTATION = re.compile(r"https?://[^\s/]+\S*|undocumented")


def lint_profiles(
    folder: Path, cases: Sequence[Case], variants: Mapping[str, Collection[str]] | None = None
) -> list[Finding]:
    """Every problem in the profiles of ``folder``: those called ``*.profile.yaml``, or else all its YAML files.

    ``cases`` are those that the registers may name, ``variants`` the devices and modes of each backend, as far as they
    are known. Raises UsageError for a folder that is not there.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", hint="name the folder that holds the profiles")
    findings: list[Finding] = []
    for file in sorted(folder.glob("*.profile.yaml")) or sorted(folder.glob("*.yaml")):
        known = (variants or {}).get(_name(file))
        findings += sorted(_findings(file, cases, known), key=lambda found: found.place.line or 0)
    return findings


def _name(file: Path) -> str:
    """The backend that a profile is of, by the name of its file."""
    return file.stem.removesuffix(".profile")


def _findings(file: Path, cases: Sequence[Case], variants: Collection[str] | None) -> Iterator[Finding]:
    try:
        data = read(file)
    except UsageError as error:
        yield Finding(error.place or Place(file), error.problem, error.hint or "")
        return
    complaints = [better for complaint in complaints_of(data, Profile) for better in _closer(complaint, data)]
    for complaint in complaints:
        yield Finding(place_of(file, complaint.path), complaint.problem, complaint.hint)
    if complaints:
        return
    profile = msgspec.convert(data, Profile)
    wrong = list(_policies(file, profile))
    yield from wrong
    if not wrong:
        try:
            load_profile(file)
        except UsageError as error:
            yield Finding(place_of(file, ("policies",)), error.problem, error.hint or "")
    if profile.backend != _name(file):
        hint = f"write `backend: {_name(file)}`, or rename the file"
        yield Finding(place_of(file, ("backend",)), f"the profile of '{profile.backend}' in {file.name}", hint)
    yield from _names(file, ("operations",), profile.operations, OPERATIONS, "operation")
    yield from _names(file, ("classes",), profile.classes, (*OPERATIONS, "all"), "operation")
    yield from _links(file, profile)
    if variants is not None:
        for name, declared in profile.policies.items():
            yield from _names(
                file, ("policies", name, "variants"), declared.variants, sorted(variants), "device or mode"
            )
    yield from complaints_of_register(file, profile, cases, variants)


def _closer(complaint: Complaint, data: Any) -> Iterator[Complaint]:
    """A complaint about a whole group of entries as those about the single ones."""
    models: dict[NodePath, type[msgspec.Struct]] = {("operations",): Feature, ("policies",): Declared}
    model = models.get(complaint.path)
    entries = data[complaint.path[0]] if model is not None else None
    found: list[Complaint] = []
    if model is not None and isinstance(entries, dict):
        for name, entry in entries.items():
            found += [
                Complaint((*complaint.path, name, *each.path), each.problem, each.hint)
                for each in complaints_of(entry, model)
            ]
    yield from found or [complaint]


def _names(file: Path, path: NodePath, given: Any, known: Sequence[str], what: str) -> Iterator[Finding]:
    """Words, or keys, that name no operation, policy or check."""
    for place, name in enumerate(given):
        if name not in known:
            step = name if isinstance(given, dict) else place
            hint = f"{suggestion(name, known)}one of {', '.join(known)}"
            yield Finding(place_of(file, (*path, step)), f"there is no {what} '{name}'", hint)


def _policies(file: Path, profile: Profile) -> Iterator[Finding]:
    """Policies that do not exist, and values that they do not take, for the default and for every variant."""
    yield from _names(file, ("policies",), profile.policies, list(POLICIES), "policy")
    for name, declared in profile.policies.items():
        if name not in POLICIES:
            continue
        values = {"value": declared.value, **{f"variants.{each}": value for each, value in declared.variants.items()}}
        for key, value in values.items():
            if value == "unsupported":
                continue
            place = place_of(file, ("policies", name, *key.split(".")))
            try:
                msgspec.convert({name: value}, Policies)
            except msgspec.ValidationError as error:
                hint = f"`conformance list policies` shows the values of {name}"
                yield Finding(place, f"not a value of this policy: {str(error).partition(' - at')[0]}", hint)
                continue
            aspect = POLICIES[name].aspect
            if isinstance(value, dict) and aspect is not None:
                yield from _names(file, ("policies", name, *key.split(".")), value, aspect.names, aspect.kind)


def _links(file: Path, profile: Profile) -> Iterator[Finding]:
    described = [("operations", name, each.documentation) for name, each in profile.operations.items()]
    described += [("policies", name, each.documentation) for name, each in profile.policies.items()]
    for group, name, link in described:
        if not _DOCUMENTATION.fullmatch(link):
            place = place_of(file, (group, name, "documentation"))
            hint = "write the URL of the framework's documentation, or `undocumented`"
            yield Finding(place, f"'{link}' is not a link", hint)

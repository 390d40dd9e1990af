"""Check profiles beyond what loading them does: names that exist, links that can be followed, cases that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from conformance.cases.checks import Complaint, suggestion
from conformance.cases.complaints import complaints_of
from conformance.cases.lint import Finding
from conformance.cases.model import OPERATIONS, TRANSFORMS
from conformance.cases.places import place_of
from conformance.cases.yaml12 import NodePath, read
from conformance.errors import Place, UsageError
from conformance.judge.identities import identity_names
from conformance.judge.profile import Declared, Defect, Feature, Profile, load_profile
from conformance.numerics.names import DTYPES
from conformance.oracle.policies import Policies

__all__ = ["CHECKS", "lint_profiles"]

#: What an entry of the register may speak of.
CHECKS = (
    *("value", "gradient", "error", "warning", "unmodified", "repeatable", "probability-sum", "gradient-sum"),
    *identity_names(),
    *TRANSFORMS,
)
_DOCUMENTATION = re.compile(r"https?://[^\s/]+\S*|undocumented")
_ISSUE = re.compile(r"https?://[^\s/]+\S*|(?:[\w.-]+/)?[\w.-]+#[0-9]+|not reported")

#: The policy that may differ between dtypes; others may differ between operations.
BY_DTYPE = "subnormal-results"


def lint_profiles(folder: Path, case_ids: Sequence[str]) -> list[Finding]:
    """Everything to mend in the profiles of ``folder``; ``case_ids`` are those that the registers may name.

    Raises UsageError for a folder that is not there.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", mend="name the folder that holds the profiles")
    findings: list[Finding] = []
    for file in sorted(folder.glob("*.yaml")):
        findings += sorted(_findings(file, case_ids), key=lambda found: found.place.line or 0)
    return findings


def _findings(file: Path, case_ids: Sequence[str]) -> Iterator[Finding]:
    try:
        data = read(file)
    except UsageError as error:
        yield Finding(error.place or Place(file), error.problem, error.mend or "")
        return
    complaints = [better for complaint in complaints_of(data, Profile) for better in _closer(complaint, data)]
    for complaint in complaints:
        yield Finding(place_of(file, complaint.path), complaint.problem, complaint.mend)
    if complaints:
        return
    profile = msgspec.convert(data, Profile)
    wrong = list(_policies(file, profile))
    yield from wrong
    if not wrong:
        try:
            load_profile(file)
        except UsageError as error:
            yield Finding(place_of(file, ("policies",)), error.problem, error.mend or "")
    if profile.backend != file.stem:
        mend = f"write `backend: {file.stem}`, or rename the file"
        yield Finding(place_of(file, ("backend",)), f"the profile of '{profile.backend}' in {file.name}", mend)
    yield from _names(file, ("operations",), profile.operations, OPERATIONS, "operation")
    yield from _names(file, ("classes",), profile.classes, (*OPERATIONS, "all"), "operation")
    yield from _links(file, profile)
    for index, entry in enumerate(profile.known):
        yield from _known(file, ("known", index), entry, case_ids)


def _closer(complaint: Complaint, data: Any) -> Iterator[Complaint]:
    """A complaint about a whole group of entries as those about the single ones."""
    models: dict[NodePath, type[msgspec.Struct]] = {("operations",): Feature, ("policies",): Declared}
    model = models.get(complaint.path)
    entries = data[complaint.path[0]] if model is not None else None
    found: list[Complaint] = []
    if model is not None and isinstance(entries, dict):
        for name, entry in entries.items():
            found += [
                Complaint((*complaint.path, name, *each.path), each.problem, each.mend)
                for each in complaints_of(entry, model)
            ]
    yield from found or [complaint]


def _names(file: Path, path: NodePath, given: Any, known: Sequence[str], what: str) -> Iterator[Finding]:
    """Words, or keys, that name no operation, policy or check."""
    for place, name in enumerate(given):
        if name not in known:
            step = name if isinstance(given, dict) else place
            mend = f"{suggestion(name, known)}one of {', '.join(known)}"
            yield Finding(place_of(file, (*path, step)), f"there is no {what} '{name}'", mend)


def _policies(file: Path, profile: Profile) -> Iterator[Finding]:
    """Policies that do not exist, and values that they do not take, for the default and for every variant."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(Policies)}
    yield from _names(file, ("policies",), profile.policies, list(fields), "policy")
    for name, declared in profile.policies.items():
        if name not in fields:
            continue
        values = {"value": declared.value, **{f"variants.{each}": value for each, value in declared.variants.items()}}
        for key, value in values.items():
            if value == "unsupported":
                continue
            place = place_of(file, ("policies", name, *key.split(".")))
            try:
                msgspec.convert({name: value}, Policies)
            except msgspec.ValidationError as error:
                mend = f"`conformance list policies` shows the values of {name}"
                yield Finding(place, f"not a value of this policy: {str(error).partition(' - at')[0]}", mend)
                continue
            if isinstance(value, dict) and not {*value} <= {"above", "negative", "below"}:
                known, what = (DTYPES, "dtype") if name == BY_DTYPE else ((*OPERATIONS, "all"), "operation")
                yield from _names(file, ("policies", name, *key.split(".")), value, known, what)


def _links(file: Path, profile: Profile) -> Iterator[Finding]:
    described = [("operations", name, each.documentation) for name, each in profile.operations.items()]
    described += [("policies", name, each.documentation) for name, each in profile.policies.items()]
    for group, name, link in described:
        if not _DOCUMENTATION.fullmatch(link):
            place = place_of(file, (group, name, "documentation"))
            mend = "write the URL of the framework's documentation, or `undocumented`"
            yield Finding(place, f"'{link}' is no link", mend)


def _known(file: Path, path: NodePath, entry: Defect, case_ids: Sequence[str]) -> Iterator[Finding]:
    """One entry of the register: what it names must exist, and it must say what is seen."""
    for place, pattern in enumerate(entry.cases):
        if not any(fnmatchcase(name, pattern) for name in case_ids):
            mend = f"{suggestion(pattern, case_ids)}`conformance list cases` shows the ids"
            yield Finding(place_of(file, (*path, "cases", place)), f"no case matches '{pattern}'", mend)
    yield from _names(file, (*path, "checks"), entry.checks, CHECKS, "check")
    yield from _names(file, (*path, "ops"), entry.ops, OPERATIONS, "operation")
    yield from _names(file, (*path, "reductions"), entry.reductions, ("none", "sum", "mean", "default"), "reduction")
    if not _ISSUE.fullmatch(entry.issue):
        mend = "write a link (https://...), repository#number, or `not reported`"
        yield Finding(place_of(file, (*path, "issue")), f"'{entry.issue}' is no issue that can be followed", mend)
    if not (entry.observed or entry.reached or entry.message):
        mend = "add `observed`, `reached` or `message`: an entry that describes nothing hides other defects"
        yield Finding(place_of(file, path), f"entry '{entry.id}' does not say what is seen", mend)
    try:
        SpecifierSet(entry.versions)
    except InvalidSpecifier:
        mend = "write a specifier such as '>=2.10,<2.14'"
        yield Finding(place_of(file, (*path, "versions")), f"'{entry.versions}' is no range of versions", mend)

"""Read a profile's file, which must be right, and lay it over the one that it extends."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from conformance.cases.complaints import in_order
from conformance.cases.yaml12 import read
from conformance.model.backend import BackendRecord
from conformance.places import PROFILES
from conformance.profiles.complaints import complaints_about_profile
from conformance.profiles.profile import UNDECLARED, Profile

__all__ = ["load_profile", "profile_named", "recorded_profile"]


def load_profile(file: Path) -> Profile:
    """Read a profile, laid over the one that it extends; CaseError names file, line and key where it is wrong.

    ``known`` is its own register: whether that of the other one applies depends on whose code an operation is.
    """
    data = read(file)
    complaints = complaints_about_profile(data, file.stem.removesuffix(".profile"))
    if complaints:
        raise in_order([each.at(file) for each in complaints], [file])[0]
    profile = msgspec.convert(data, Profile)
    return _over(profile_named(profile.extends), profile) if profile.extends else profile


@cache
def profile_named(name: str) -> Profile:
    """The suite's profile of that name, which is read once; for a name that is none, one that declares nothing."""
    files = {file.stem: file for file in PROFILES.glob("*.yaml")}
    return load_profile(files[name]) if name in files else UNDECLARED


def recorded_profile(record: BackendRecord) -> Profile:
    """What a backend was judged by, as the record of a run says: a user's own profile, or one of the suite.

    One that declares nothing where the record names or holds none that this version knows.
    """
    if record.own_profile is None:
        return profile_named(record.profile)
    try:
        return msgspec.convert(record.own_profile.declares, Profile)
    except msgspec.ValidationError:
        return UNDECLARED


def _over(parent: Profile, profile: Profile) -> Profile:
    """``profile`` with what it does not say itself, entry by entry, taken from ``parent``."""
    classes = {
        operation: {**parent.classes.get(operation, {}), **profile.classes.get(operation, {})}
        for operation in {**parent.classes, **profile.classes}
    }
    return msgspec.structs.replace(
        profile,
        operations={**parent.operations, **profile.operations},
        features={**parent.features, **profile.features},
        dtypes=profile.dtypes or parent.dtypes,
        policies={**parent.policies, **profile.policies},
        classes=classes,
    )

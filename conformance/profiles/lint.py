"""Check profiles beyond what loading them does: options that exist, and a register that meets cases."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.complaints import Complaint, in_order
from conformance.cases.yaml12 import NodePath, read
from conformance.model.case import Case
from conformance.model.errors import CaseError, UsageError
from conformance.profiles.complaints import complaints_about_profile, unknown_names
from conformance.profiles.profile import Declared, Profile
from conformance.profiles.register_lint import complaints_of_register

__all__ = ["lint_profiles", "profile_files"]


def lint_profiles(
    folder: Path, cases: Sequence[Case], variants: Mapping[str, Collection[str]] | None = None
) -> list[CaseError]:
    """Every problem in the profiles of ``folder``: those called ``*.profile.yaml``, or else all its YAML files.

    ``cases`` are those that the registers may name, ``variants`` the words of each backend's options, as far as they
    are known. One that extends another backend's has its words, and those that the kernel beside it names.

    Raises UsageError for a folder that is not there, or holds no profile.
    """
    files = profile_files(folder)
    return in_order([each for file in files for each in _findings(file, cases, variants or {})], files)


def profile_files(folder: Path) -> list[Path]:
    """The profiles in ``folder``, sorted; raises UsageError for a folder that is not there, or holds none."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", hint="name the folder that holds the profiles")
    found = sorted(folder.glob("*.profile.yaml")) or sorted(folder.glob("*.yaml"))
    if not found:
        raise UsageError(f"{folder}: no profile in this folder", hint="that of mine.py is mine.profile.yaml beside it")
    return found


def _name(file: Path) -> str:
    """The backend that a profile is of, by the name of its file."""
    return file.stem.removesuffix(".profile")


def _findings(file: Path, cases: Sequence[Case], variants: Mapping[str, Collection[str]]) -> Iterator[CaseError]:
    try:
        data = read(file)
    except CaseError as error:
        yield error
        return
    for each in _complaints(data, file, cases, variants):
        yield each.at(file)


def _complaints(
    data: Any, file: Path, cases: Sequence[Case], variants: Mapping[str, Collection[str]]
) -> Iterator[Complaint]:
    yield from complaints_about_profile(data, _name(file))
    try:
        profile = msgspec.convert(data, Profile)
    except msgspec.ValidationError:
        return
    own = variants.get(_name(file))
    known = sorted(own or variants.get(profile.extends, ()))
    ours = frozenset() if own else _words_of_kernel(file)
    declarations: list[tuple[NodePath, Declared]] = [
        (("policies", name), each) for name, each in profile.policies.items()
    ]
    declarations += [(("dtypes",), profile.dtypes)] if profile.dtypes is not None else []
    for path, declared in declarations if known else ():
        given = {word: value for word, value in declared.variants.items() if word not in ours}
        yield from unknown_names((*path, "variants"), given, known, "option")
        for place, each in enumerate(declared.exceptions):
            modes = [word for word in each.modes if word not in ours]
            yield from unknown_names((*path, "exceptions", place, "modes"), modes, known, "option")
    yield from complaints_of_register(profile, cases, sorted(own) if own else None)


def _words_of_kernel(file: Path) -> frozenset[str]:
    """What the kernel beside a profile may call an option of its own: each word of its text, which is not run."""
    kernel = file.with_name(f"{_name(file)}.py")
    with contextlib.suppress(OSError):
        return frozenset(re.findall(r"[\w-]+", kernel.read_text(encoding="utf-8", errors="replace")))
    return frozenset()

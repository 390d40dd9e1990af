"""What is wrong in a profile by its own text: ``run`` and ``lint`` refuse the same, in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from conformance.cases.checks import FEATURES, TARGET_DTYPES
from conformance.cases.complaints import Complaint, complaints_of, suggestion
from conformance.cases.yaml12 import NodePath, read
from conformance.model.case import OPERATIONS
from conformance.model.classes import letters
from conformance.model.dtypes import DTYPES
from conformance.model.policies import POLICIES, Policies, declarable, name_of_number
from conformance.places import PROFILES
from conformance.profiles.profile import ALL, Declared, Defect, Profile
from conformance.profiles.versions import is_range

__all__ = ["complaints_about_profile", "unknown_names"]

#: What cases may require, as profiles write it.
_FEATURES = tuple(name.replace("-", "_") for name in FEATURES)
#: The checks that have one outcome of a call, whatever comes of it.
OF_CALLS = ("value", "error", "composed")
_OF_WHAT_IS_SEEN = ("reached", "right_in", "at_most", "message", "observed", "invalid", "reductions")
_DOCUMENTATION = re.compile(r"https?://[^\s/]\S*|undocumented")


def complaints_about_profile(data: Any, backend: str) -> list[Complaint]:
    """Everything wrong in the data of a profile whose file is named after ``backend``."""
    if not isinstance(data, dict):
        return complaints_of(data, Profile)
    found = [*unknown_names(("policies",), _entries(data, "policies"), list(POLICIES), "policy")]
    found += complaints_of(data, Profile)
    found += _undocumented(data)
    try:
        profile = msgspec.convert(data, Profile)
    except msgspec.ValidationError:
        return found
    found += _values(profile)
    found += _dtypes(profile)
    if profile.backend != backend:
        hint = f"write `backend: {backend}`, or rename the file"
        found.append(Complaint(("backend",), f"the profile of '{profile.backend}' in the file of '{backend}'", hint))
    found += _parent(profile)
    found += unknown_names(("operations",), profile.operations, OPERATIONS, "operation")
    found += unknown_names(("features",), profile.features, _FEATURES, "feature")
    found += unknown_names(("classes",), profile.classes, (*OPERATIONS, ALL), "operation")
    found += _classes(profile)
    found += _links(profile)
    for index, entry in enumerate(profile.known):
        found += _intermittent(("known", index), entry) if entry.intermittent else ()
    return found


def unknown_names(path: NodePath, given: Iterable[str], known: Sequence[str], what: str) -> Iterator[Complaint]:
    """Words, or keys of a mapping, that are not ``known``."""
    for place, name in enumerate(given):
        if name not in known:
            step = name if isinstance(given, dict) else place
            hint = f"{suggestion(name, known)}one of {', '.join(known)}"
            yield Complaint((*path, step), f"there is no {what} '{name}'", hint)


def _entries(data: dict[str, Any], group: str) -> dict[str, Any]:
    entries = data.get(group)
    return entries if isinstance(entries, dict) else {}


def _undocumented(data: dict[str, Any]) -> Iterator[Complaint]:
    """What is offered or declared without a link; what is not offered needs none."""
    described: list[tuple[NodePath, Any, str]] = [(("dtypes",), data.get("dtypes"), "value")]
    for group, key in (("operations", "support"), ("policies", "value")):
        described += [((group, name), entry, key) for name, entry in _entries(data, group).items()]
    for path, entry, key in described:
        if isinstance(entry, dict) and "documentation" not in entry and entry.get(key) != "unsupported":
            hint = "write `documentation: URL`, or `documentation: undocumented`"
            yield Complaint(path, "key 'documentation' is missing", hint)


def _values(profile: Profile) -> Iterator[Complaint]:
    """Values that a policy does not take, for the default and for every variant."""
    for name, declared in profile.policies.items():
        if name not in POLICIES:
            continue
        yield from _exceptions(("policies", name), declared)
        for key, value in _all_values(declared).items():
            path = ("policies", name, *key)
            aspect = POLICIES[name].aspect
            if isinstance(value, dict) and not (aspect and aspect.names):
                hint = f"{_hint(name, '')}; what differs by operation, dtype, mode or version goes into `exceptions`"
                yield Complaint(path, "this policy has one value, and takes no mapping", hint)
                continue
            if value != "unsupported" and not _fits(name, value):
                entries = value.items() if isinstance(value, dict) else ()
                bad = [item for kind, item in entries if not _fits(name, {kind: item})] or [value]
                shown = ", ".join(map(str, bad))
                yield Complaint(path, f"not a value of this policy: {shown}", _hint(name, str(bad[0])))
                continue
            if isinstance(value, dict) and aspect is not None:
                yield from unknown_names(path, value, aspect.names, aspect.kind)
            for kind, each in value.items() if isinstance(value, dict) else [(None, value)]:
                yield from _single_value(name, path if kind is None else (*path, kind), each)


def _dtypes(profile: Profile) -> Iterator[Complaint]:
    """Dtypes that are none, or no list of them, by default and for every variant; operations that are none."""
    if profile.dtypes is None:
        return
    yield from _exceptions(("dtypes",), profile.dtypes)
    for number, each in enumerate(profile.dtypes.exceptions):
        if each.ops or each.dtypes:
            hint = "give the dtypes of an operation by a mapping, as in `value: {softmax: [float32]}`"
            yield Complaint(
                ("dtypes", "exceptions", number), "dtypes have exceptions by option and version alone", hint
            )
    for key, value in _all_values(profile.dtypes).items():
        path: NodePath = ("dtypes", *key)
        if isinstance(value, dict):
            yield from unknown_names(path, value, (*OPERATIONS, ALL), "operation")
        for name, each in value.items() if isinstance(value, dict) else [(None, value)]:
            place = path if name is None else (*path, name)
            if not isinstance(each, list) or not each:
                hint = f"write a list of {', '.join(DTYPES)}, or a mapping of operations to such lists"
                yield Complaint(place, f"not a list of dtypes: {each}", hint)
            else:
                yield from unknown_names(place, map(str, each), DTYPES, "dtype")


def _all_values(declared: Declared) -> dict[NodePath, Any]:
    """Every value of a declaration, with its place there."""
    values: dict[NodePath, Any] = {("value",): declared.value}
    values |= {("variants", each): value for each, value in declared.variants.items()}
    return values | {("exceptions", place, "value"): each.value for place, each in enumerate(declared.exceptions)}


def _exceptions(path: NodePath, declared: Declared) -> Iterator[Complaint]:
    """Exceptions from nothing, and of operations or versions that are none."""
    for place, each in enumerate(declared.exceptions):
        where: NodePath = (*path, "exceptions", place)
        if not (each.ops or each.dtypes or each.modes or each.versions):
            hint = "name `ops`, `dtypes`, `modes` or `versions`; what holds everywhere is the `value`"
            yield Complaint(where, "an exception that holds everywhere", hint)
        yield from unknown_names((*where, "ops"), each.ops, OPERATIONS, "operation")
        if not is_range(each.versions):
            hint = "write a specifier such as '>=2.10,<2.14'"
            yield Complaint((*where, "versions"), f"'{each.versions}' is not a range of versions", hint)


def _single_value(name: str, place: NodePath, value: Any) -> Iterator[Complaint]:
    """Names in a list that are not dtypes, and a number that the policy has a word for.

    What is observed is called by that word, and so is what is declared.
    """
    if isinstance(value, list):
        if name == "target-dtypes":
            yield from unknown_names(place, value, TARGET_DTYPES, "dtype")
        return
    word = name_of_number(value)
    if word and word in declarable(name):
        yield Complaint(place, "the number has a name in this policy", f"write `{word}`")


def _fits(name: str, value: Any) -> bool:
    try:
        msgspec.convert({name: value}, Policies)
    except msgspec.ValidationError:
        return False
    return True


def _hint(name: str, value: str) -> str:
    """``did you mean 'zero'? one of nan, zero, raise, unsupported, or a mapping of operations to them``."""
    words = declarable(name)
    hint = f"{suggestion(value, words)}one of {', '.join([*words, 'unsupported'])}"
    aspect = POLICIES[name].aspect
    return f"{hint}, or a mapping to them from {', '.join(aspect.names)}" if aspect and aspect.names else hint


def _classes(profile: Profile) -> Iterator[Complaint]:
    """Classes that results of the dtype are not sorted into."""
    for operation, classes in profile.classes.items():
        for dtype, letter in classes.items():
            if letter not in letters(dtype):
                hint = f"one of {', '.join(letters(dtype))}: D and E are of the half types"
                yield Complaint(("classes", operation, dtype), f"{dtype} has no class {letter}", hint)


def _parent(profile: Profile) -> Iterator[Complaint]:
    """The profile that this one extends must be one of the suite's, and extend none itself."""
    if not profile.extends:
        return
    known = sorted(file.stem for file in PROFILES.glob("*.yaml"))
    if profile.extends not in known:
        hint = f"{suggestion(profile.extends, known)}one of {', '.join(known)}"
        yield Complaint(("extends",), f"the suite has no profile '{profile.extends}'", hint)
    elif (read(PROFILES / f"{profile.extends}.yaml") or {}).get("extends"):
        yield Complaint(("extends",), f"the profile '{profile.extends}' extends another", "extend that one")


def _links(profile: Profile) -> Iterator[Complaint]:
    described: list[tuple[NodePath, str]] = [
        (("operations", name), each.documentation) for name, each in profile.operations.items()
    ]
    described += [(("policies", name), each.documentation) for name, each in profile.policies.items()]
    described += [(("dtypes",), profile.dtypes.documentation)] if profile.dtypes is not None else []
    for path, link in described:
        if link and not _DOCUMENTATION.fullmatch(link):
            hint = "write the URL of the framework's documentation, or `undocumented`"
            yield Complaint((*path, "documentation"), f"'{link}' is not a link", hint)


def _intermittent(path: NodePath, entry: Defect) -> Iterator[Complaint]:
    """An entry that leaves open what comes of its cases: nothing but memory that is not the call's is so open."""
    if entry.severity != "memory-error":
        hint = "only a `memory-error` leaves open what comes of a call; describe what is seen of any other defect"
        yield Complaint((*path, "intermittent"), f"entry '{entry.id}' is not a memory error", hint)
    if any("*" in name for name in entry.cases):
        hint = "write out the ids of the cases: all that comes of their calls is a known defect then"
        yield Complaint((*path, "cases"), f"entry '{entry.id}' does not say what comes and goes", hint)
    others = [each for each in entry.checks if each not in OF_CALLS]
    if others:
        hint = f"some of {', '.join(OF_CALLS)}: of each call there is one outcome"
        yield Complaint((*path, "checks"), f"an intermittent entry is not about {', '.join(others)}", hint)
    for key in _OF_WHAT_IS_SEEN:
        if getattr(entry, key):
            yield Complaint((*path, key), f"'{key}' narrows what is left open whatever comes", "remove it")

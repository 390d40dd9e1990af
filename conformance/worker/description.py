"""What the driver makes of a backend's own description: it reads the code itself, and finds out whose it is."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from conformance.model.backend import ClassSource, SourceRecord
from conformance.model.case import OPERATIONS
from conformance.model.errors import BackendUnavailable
from conformance.worker import wire
from conformance.worker.exchange import Description
from conformance.worker.paths import display_path

__all__ = ["description_of"]

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def description_of(spec: str, said: wire.Described, pid: int) -> Description:
    """The backend; raises BackendUnavailable for a profile that is not the name of one."""
    if said.profile and not _PROFILE.fullmatch(said.profile):
        raise BackendUnavailable(
            f"names the profile {wire.clean(said.profile, 80)!r}",
            hint="let `profile` be the name of a profile, as its file is called, without folder and ending",
            spec=spec,
        )
    foreign = tuple(_foreign(said))
    execution, composition, precision, memory, ranks = map(wire.clean, said.options)
    ours = [each for each in said.classes if _is_ours(each.file)]
    return Description(
        name=spec,
        framework=wire.clean(said.framework),
        versions={wire.clean(name): _version(name, version) for name, version in said.versions.items()},
        device=wire.clean(said.device),
        execution=execution,
        composition=composition,
        precision=precision,
        memory=memory,
        ranks=ranks,
        settings={wire.clean(name): wire.clean(value) for name, value in said.settings.items()},
        sources={name: _source(_place(said, name)) for name in OPERATIONS},
        classes=tuple(_classes(said.classes)),
        overridden=tuple(
            name for name in foreign if any(name in each.defines for each in ours) or name == "nll_loss_of_log_softmax"
        )
        if ours
        else (),
        foreign=foreign,
        profile=said.profile,
        lacks=tuple(map(wire.clean, said.lacks)),
        offers={wire.clean(name): wire.clean(word) for name, word in said.offers.items()},
        pid=pid,
    )


def _foreign(said: wire.Described) -> Iterable[str]:
    """The operations whose result does not come from the suite's own code alone, whatever it inherits."""

    def is_ours(name: str) -> bool:
        place = said.methods.get(name)
        return place is not None and _is_ours(place.file)

    shared = all(map(_is_ours, said.shared))
    for name in OPERATIONS:
        if not (shared and all(map(is_ours, _parts(name)))):
            yield name


def _parts(operation: str) -> tuple[str, ...]:
    """The methods that an operation runs: the inherited composition calls two others."""
    return (operation, "nll_loss", "log_softmax") if operation == "nll_loss_of_log_softmax" else (operation,)


def _place(said: wire.Described, operation: str) -> wire.CodePlace | None:
    """Where the code of an operation lies: of a composition, the part that is not the suite's, if there is one."""
    places = [said.methods.get(name) for name in _parts(operation)]
    return next((place for place in places if place is not None and not _is_ours(place.file)), places[0])


def _is_ours(file: str) -> bool:
    """Whether a file is one of the suite's own adapters, or of what they are built on."""
    from conformance.backends import contract

    folder = Path(contract.__file__).resolve().parent
    return bool(file) and Path(file).resolve().is_relative_to(folder)


def _version(distribution: str, said: str) -> str:
    """The installed version, where there is a distribution of that name; else what the backend says."""
    try:
        return metadata.version(distribution)
    except Exception:
        return wire.clean(said)


def _lines(file: str) -> tuple[str, ...]:
    try:
        return tuple(Path(file).read_text(encoding="utf-8").splitlines(keepends=True))
    except (OSError, UnicodeDecodeError, ValueError):
        return ()


def _source(place: wire.CodePlace | None) -> SourceRecord:
    """The text of the function that begins there."""
    if place is None or not (lines := _lines(place.file)[max(place.line - 1, 0) :]):
        return SourceRecord(file="", line=0, text="")
    try:
        block = inspect.getblock(lines)
    except Exception:
        block = lines[:1]
    return SourceRecord(file=display_path(place.file), line=place.line, text=textwrap.dedent("".join(block)))


def _classes(classes: Iterable[wire.ClassPlace]) -> Iterator[ClassSource]:
    """The classes whose text can be read, each with its line and, where it is the first of it, its module."""
    seen: set[str] = set()
    for each in classes:
        lines = _lines(each.file)
        begins = re.compile(rf"\s*class\s+{re.escape(each.name.rpartition('.')[2])}\b")
        line = next((number for number, text in enumerate(lines, 1) if begins.match(text)), 0)
        if not line:
            continue
        text = "" if each.file in seen else "".join(lines)
        seen.add(each.file)
        yield ClassSource(name=wire.clean(each.name), file=display_path(each.file), line=line, text=text)

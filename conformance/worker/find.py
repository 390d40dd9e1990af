"""Finds the backends that a user names, without importing any of them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from conformance.backends.errors import BackendLookupError, FrameworkMissing, UnknownOption
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.plain import plain, say

__all__ = ["find_backends", "is_installed"]


def is_installed(spec: str) -> bool:
    """Whether a spec names a backend of the suite or of an installed package, and no file or module of anybody's."""
    from conformance.backends import discovery

    try:
        return discovery.find(spec).source in ("package", "entry point")
    except FrameworkMissing:
        return True
    except BackendLookupError:
        return False


def find_backends(
    specs: tuple[str, ...],
    device: str | None = None,
    mode: str | None = None,
    elsewhere: Collection[str] = (),
) -> list[Any]:
    """What the specs name, or every installed backend; none of them is imported.

    ``elsewhere`` names the backends that workers on other machines have, where those are meant.

    Raises BackendUnavailable, whose hint says what to write or install.
    """
    from conformance.backends import discovery

    for spec in specs:
        try:
            spec.encode()
        except UnicodeEncodeError:  # a file's name is any bytes, and results and workers name it
            raise BackendUnavailable(f"the name {plain(spec)} is not UTF-8", hint="rename the file") from None
    added = [word for word in (device, mode) if word]
    try:
        if not specs:
            found = discovery.installed(elsewhere)
            if added:
                bases = dict.fromkeys(each.base for each in found)
                found = [
                    each for base in bases if (each := _with_options(discovery, base, added, elsewhere)) is not None
                ]
                if not found:
                    raise UsageError(f"no installed backend has {' and '.join(added)}", hint="name a backend with -b")
            if not found:
                packages = ", ".join(str(discovery.head(name)["distribution"]) for name in discovery.names())
                raise UsageError("no backend's framework is installed", hint=f"pip install one of {packages}")
            return found
        return _distinct([discovery.find(":".join([spec, *added]), elsewhere=bool(elsewhere)) for spec in specs])
    except BackendLookupError as error:
        raise BackendUnavailable(error.problem, hint=error.hint, spec=error.spec) from None


def _distinct(found: list[Any]) -> list[Any]:
    """Each backend once; results are kept by name, so that two of one name would be taken for one."""
    by_name: dict[str, Any] = {}
    for each in found:
        other = by_name.setdefault(each.name, each)
        if (other.source, _place(other)) != (each.source, _place(each)):
            raise UsageError(
                f"{other.spec} and {each.spec} are both called {each.name}",
                hint="rename one of the files, or run them one after the other",
            )
    return list(by_name.values())


def _place(found: Any) -> str:
    return str(Path(found.place).resolve()) if found.source == "file" else str(found.place)


def _with_options(discovery: Any, base: str, added: list[str], elsewhere: Collection[str]) -> Any:
    """The backend with these options; one that lacks them is left out, and that is said."""
    try:
        return discovery.find(":".join([base, *added]), elsewhere=bool(elsewhere))
    except UnknownOption as error:
        say(f"{base} is left out: {error.problem}", err=True)
        return None

"""Finds the backends that a user names, without importing any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.model.errors import BackendUnavailable, UsageError

__all__ = ["find_backends"]


def find_backends(specs: tuple[str, ...], device: str | None = None, mode: str | None = None) -> list[Any]:
    """What the specs name, or every installed backend; none of them is imported.

    Raises BackendUnavailable, whose hint says what to write or install.
    """
    from conformance.backends import discovery

    added = [variant for variant in (device, mode) if variant]
    try:
        if not specs:
            found = discovery.installed()
            if added:
                bases = dict.fromkeys(each.name.partition(":")[0] for each in found)
                found = [each for base in bases if (each := _with_variant(discovery, base, added)) is not None]
            if not found:
                raise UsageError(
                    "no backend's framework is installed", hint="pip install numpy, torch, jax or tensorflow"
                )
            return found
        return _told_apart([discovery.find(":".join([spec, *added])) for spec in specs])
    except discovery.BackendLookupError as error:
        raise BackendUnavailable(error.problem, hint=error.hint) from None


def _told_apart(found: list[Any]) -> list[Any]:
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


def _with_variant(discovery: Any, base: str, added: list[str]) -> Any:
    try:
        return discovery.find(":".join([base, *added]))
    except discovery.UnknownVariant:
        return None

"""Options that several verbs share, and where the suite's own cases and profiles lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from conformance.errors import BackendUnavailable, UsageError

__all__ = ["CASES", "PROFILES", "ROOT", "backend_option", "cases_option", "find_backends", "select_option"]

F = TypeVar("F", bound=Callable[..., Any])
#: The checkout: the suite runs from one (editable install).
ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "cases"
PROFILES = ROOT / "backends" / "profiles"


def backend_option(function: F) -> F:
    """``-b/--backend``, repeatable."""
    return click.option(
        "-b",
        "--backend",
        "backends",
        multiple=True,
        metavar="SPEC",
        help="A backend: NAME, NAME:variant (torch:compile), path/to/file.py, or package.module:attribute. "
        "Repeat for several; every installed one by default.",
    )(function)


def cases_option(function: F) -> F:
    """``--cases``, repeatable."""
    return click.option(
        "--cases",
        "paths",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="A case file or a folder of them. Repeat for several; the suite's own cases by default.",
    )(function)


def select_option(function: F) -> F:
    """``-k``."""
    return click.option(
        "-k",
        "expression",
        metavar="EXPR",
        help="Only cases whose id, theme, operation or flags match, such as 'stability and not softmax'.",
    )(function)


def find_backends(specs: tuple[str, ...], device: str | None = None, mode: str | None = None) -> list[Any]:
    """What the specs name, or every installed backend; none of them is imported.

    Raises BackendUnavailable, whose mend says what to write or install.
    """
    from backends import discovery

    added = [variant for variant in (device, mode) if variant]
    try:
        if not specs:
            found = discovery.installed()
            if added:
                bases = dict.fromkeys(each.name.partition(":")[0] for each in found)
                found = [each for base in bases if (each := _with_variant(discovery, base, added)) is not None]
            if not found:
                raise UsageError(
                    "no backend's framework is installed", mend="pip install numpy, torch, jax or tensorflow"
                )
            return found
        return list({each.name: each for each in (discovery.find(":".join([spec, *added])) for spec in specs)}.values())
    except discovery.BackendLookupError as error:
        raise BackendUnavailable(error.problem, mend=error.mend) from None


def _with_variant(discovery: Any, base: str, added: list[str]) -> Any:
    try:
        return discovery.find(":".join([base, *added]))
    except discovery.UnknownVariant:
        return None

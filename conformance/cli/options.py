"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["backend_option", "cases_option", "select_option"]

F = TypeVar("F", bound=Callable[..., Any])


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

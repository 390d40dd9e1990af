"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["backend_option", "cases_option", "schema_option", "select_option"]

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


def schema_option(*names: str) -> Callable[[F], F]:
    """``--schema [NAME]``: print the JSON Schema of what the verb writes (the first of ``names`` by default)."""

    def show(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None and not context.resilient_parsing:
            from conformance.schemas.registry import schema_text

            click.echo(schema_text(value), nl=False)
            context.exit()

    which = f" NAME is one of {', '.join(names)}; the first by default." if len(names) > 1 else ""
    return click.option(
        "--schema",
        type=click.Choice(names),
        is_flag=False,
        flag_value=names[0],
        is_eager=True,
        expose_value=False,
        callback=show,
        metavar="[NAME]" if len(names) > 1 else "",
        help=f"Print the JSON Schema of what this writes, and end.{which}",
    )

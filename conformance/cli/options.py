"""Options that several verbs share: each is a decorator."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.decorators import FC

from conformance.model.case import OPERATIONS

__all__ = [
    "AMOUNT",
    "PATH",
    "POSITIVE",
    "Finite",
    "backend_option",
    "cases_option",
    "details_option",
    "device_option",
    "dtypes_option",
    "folder_option",
    "format_option",
    "max_numbers_option",
    "memory_limit_option",
    "named_backends_option",
    "ops_option",
    "quiet_option",
    "runs_argument",
    "scheduler_option",
    "schema_option",
    "seconds_option",
    "seed_option",
    "select_option",
    "tls_options",
]

#: What may not be read is said by whoever reads it.
PATH: click.Path = click.Path(path_type=Path, readable=False)
_MOST = 1_000_000  # seconds (a system call waits no longer than 24 days), or GiB


class Finite(click.FloatRange):
    """A range of numbers, of which ``nan`` is none: click takes it for one."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """The number; a usage error where it is none or out of the range."""
        number: float = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", parameter, context)
        return number


POSITIVE = Finite(min=0, min_open=True, max=_MOST)
AMOUNT = Finite(min=0, max=_MOST)


def named_backends_option(otherwise: str) -> Callable[[FC], FC]:
    """``--backend``, repeatable; ``otherwise`` says what holds without it."""
    text = "A backend: NAME, NAME:option (torch:compile), path/to/file.py, or package.module:attribute. Repeat for"
    return click.option(
        "-b", "--backend", "backends", multiple=True, metavar="SPEC", help=f"{text} several; {otherwise}."
    )


backend_option = named_backends_option("every installed one by default")
cases_option = click.option(
    "--cases",
    "paths",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="A case file or a folder of them. Repeat for several; the suite's own cases by default.",
)
select_option = click.option(
    "-k",
    "expression",
    metavar="EXPR",
    help="Only cases whose id, theme, operation or flags match, such as 'stability and not softmax'.",
)
dtypes_option = click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    metavar="DTYPE",
    help="Only this dtype: float64, float32, bfloat16, float16. Repeat for several.",
)
ops_option = click.option(
    "--op", "ops", multiple=True, type=click.Choice(OPERATIONS), help="Only this operation. Repeat for several."
)
device_option = click.option("--device", metavar="DEVICE", help="The backends on this device, such as cuda.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress.")
runs_argument = click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")


def max_numbers_option(default: int, text: str) -> Callable[[FC], FC]:
    """``--max-numbers``: what is larger is left out, and ``text`` says so."""
    number = click.IntRange(min=1)
    return click.option("--max-numbers", type=number, default=default, show_default=True, metavar="N", help=text)


def folder_option(text: str, *, required: bool = False) -> Callable[[FC], FC]:
    """``--output DIR``."""
    return click.option("--output", type=PATH, metavar="DIR", required=required, help=text)


def format_option(text: str, first: str = "table", *others: str) -> Callable[[FC], FC]:
    """``--format``: ``first`` by default, any of the ``others``, or json."""
    names = click.Choice([first, *others, "json"])
    return click.option("--format", "style", type=names, default=first, show_default=True, help=text)


def seconds_option(name: str, default: float, text: str) -> Callable[[FC], FC]:
    """A limit of time."""
    return click.option(name, type=POSITIVE, default=default, show_default=True, metavar="SECONDS", help=text)


def _bytes(context: click.Context, parameter: click.Parameter, gib: float | None) -> int | None:
    return None if gib is None else int(gib * 2**30)


memory_limit_option = click.option(
    "--memory-limit",
    type=AMOUNT,
    metavar="GIB",
    callback=_bytes,
    help="Limit for the memory of a backend's process and its children, 0 for none; half of the machine's by default.",
)


def seed_option(text: str) -> Callable[[FC], FC]:
    """``--seed S``, which JSON holds exactly; None where it is left out."""
    return click.option("--seed", type=click.IntRange(min=0, max=2**53), metavar="S", help=text)


def details_option(default: int, text: str) -> Callable[[FC], FC]:
    """``--details``: how much is shown."""
    return click.option(
        "--details", type=click.IntRange(min=0), default=default, show_default=True, metavar="N", help=text
    )


def scheduler_option(text: str, *, required: bool = False) -> Callable[[FC], FC]:
    """``--scheduler ADDRESS``."""

    def named(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None and not value.strip():  # an environment variable that is not set
            raise click.BadParameter("the address is empty.")
        return value

    return click.option("--scheduler", metavar="ADDRESS", required=required, callback=named, help=text)


def tls_options(function: FC) -> FC:
    """``--tls-ca-file``, ``--tls-cert``, ``--tls-key``."""
    for name, what in (("key", "Key of --tls-cert"), ("cert", "Certificate of this side"), ("ca-file", "Authority")):
        text = f"{what}, a PEM file, for a scheduler at tls://…; Dask's configuration by default."
        function = click.option(f"--tls-{name}", metavar="FILE", help=text)(function)
    return function


def schema_option(*names: str) -> Callable[[FC], FC]:
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

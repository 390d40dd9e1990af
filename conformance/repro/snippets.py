"""A framework's template, ``backends/snippets/NAME.py.j2``: how its users write a tensor, an operation, a gradient.

``base.py.j2`` lists the pieces, and ``docs/backends.md`` explains how to write a template.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conformance.places import SNIPPETS

__all__ = ["INPUTS", "Name", "NotFinite", "NotInTemplate", "Snippets", "has_template"]

#: What an input is called in every script, in the order in which a function takes them.
INPUTS = ("logits", "targets", "weight", "where", "upstream", "tangent", "other_logits")


class NotInTemplate(Exception):
    """The template does not say how this piece is written."""


class Name(str):
    """The name of a variable in the script, where other text is a value."""

    __slots__ = ()


class NotFinite(float):
    """An infinity or NaN, written as a script has it: what Python writes is the name of nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f'float("{float(self):g}")'

    __str__ = __repr__


class Snippets:
    """The pieces of one template.

    ``facts`` are known to every block: ``execution``, ``composition``, ``precision``, ``ranks``, ``device``.
    """

    def __init__(self, template: str, **facts: Any) -> None:
        self.name = template
        self._template = _environment().get_template(f"{template}.py.j2")
        self._facts = facts

    def lines(self, piece: str, **facts: Any) -> list[str]:
        """A block's lines, without the empty ones around them; raises :class:`NotInTemplate`."""
        text = self._template.render(_UNKNOWN | self._facts | facts, piece=piece)
        return [line.rstrip() for line in text.strip("\n").splitlines()]

    def text(self, piece: str, **facts: Any) -> str:
        """A block of one line; empty where the template leaves it out."""
        return " ".join(self.lines(piece, **facts)).strip()


#: What a template may ask of a call, where there is none yet.
_UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("axis", "weight", "where", "ignore_index", "label_smoothing", "reduction", "targets_rank")),
    **dict.fromkeys(("operation", "operands", "options", "call", "own_log_softmax", "precision", "ranks"), ""),
    "rank": 0,
    "mixed": False,
}


def has_template(name: str) -> bool:
    """Whether there is a template of that name."""
    return f"{name}.py.j2" in _environment().list_templates()


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(SNIPPETS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # what it writes is Python
    )
    made.globals.update(missing=_missing, invoke=invoke, expression=Name)
    made.filters.update(assigned=_assigned, returned=_returned, indented=_indented, within=_within, compiled=_compiled)
    return made


def _missing() -> str:
    raise NotInTemplate("the template leaves this out")


def invoke(function: str, *arguments: Any, **options: Any) -> str:
    """A call as text; options that are None are left to the function's defaults."""
    given = [*map(str, arguments), *(f"{name}={_code(each)}" for name, each in options.items() if each is not None)]
    return f"{function}({', '.join(given)})"


def _code(value: Any) -> str:
    return f'"{value}"' if type(value) is str else str(value)


def _lines(text: str) -> list[str]:
    return text.strip("\n").splitlines()


def _assigned(text: str, name: str) -> str:
    return _with_result(text, f"{name} = ")


def _returned(text: str) -> str:
    return _with_result(text, "return ")


def _with_result(text: str, before: str) -> str:
    """``before`` the last line, which is the result; before what it names, where the line above names just that."""
    *lines, last = _lines(text)
    if lines and last.isidentifier() and lines[-1].startswith(f"{last} = "):
        last = lines.pop().removeprefix(f"{last} = ")
    return "\n".join([*lines, before + last])


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in _lines(text))


def _within(text: str, statement: str) -> str:
    """The lines as the block of a statement, such as ``with``; the lines themselves without one."""
    return f"{statement}\n{_indented(text)}" if statement else text


def _compiled(text: str, decorator: str, results: str) -> str:
    """A decorated function of the inputs that the lines use, and its call; the lines themselves without a decorator.

    Inputs are arguments: what a compiled function closes over is a constant to its compiler. ``INPUTS`` in the
    decorator stands for them.
    """
    if not decorator:
        return text
    inputs = ", ".join(name for name in INPUTS if re.search(rf"\b{name}\b(?!=)", text))
    body = _indented(_returned(f"{text.strip()}\n{results}"))
    decorator = decorator.replace("INPUTS", inputs)
    return f"{decorator}\ndef function({inputs}):\n{body}\n\n{results} = function({inputs})"

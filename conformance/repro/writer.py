"""The lines of a script, from the pieces of a template: inputs, calls, and around them imports and helpers."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.model.layouts import layout_of
from conformance.model.problem import Array, Problem
from conformance.repro.literals import (
    MOST_NUMBERS,
    beside_lines,
    is_constant,
    layout_lines,
    number_text,
    numpy_text,
    values_text,
    within_line,
    wrapped,
)
from conformance.repro.recipes import HELPERS, recipe_text
from conformance.repro.snippets import INPUTS, Name, NotFinite, Snippets
from conformance.worker.exchange import Request

__all__ = ["Reproducer", "Script"]

#: Modules that the script's own lines may use.
_STANDARD = ("base64", "hashlib", "mmap", "tempfile", "warnings", "zlib")
_MODULES = {name: f"import {name}" for name in (*_STANDARD, "ml_dtypes")} | {"np": "import numpy as np"}


@dataclass(frozen=True)
class Reproducer:
    """The text of a script, and what it needs beside its framework and NumPy: the suite, or ml_dtypes."""

    text: str
    needs_suite: bool = False
    needs_ml_dtypes: bool = False


class Script:
    """Collects the lines of a script. ``function``, where there is one, is a user's ``operation`` and all it uses."""

    def __init__(self, snippets: Snippets, operation: str = "", function: Sequence[str] = ()) -> None:
        self.snippets = snippets
        self.operation = operation
        self.function = list(function)
        self.lines: list[str] = []
        self._written: dict[str, Any] = {}

    def say(self, *lines: str) -> None:
        """Add lines."""
        self.lines += lines

    def inputs(self, problem: Problem, request: Request, *others: str) -> None:
        """Write the logits and operands of a request, and of its other arrays those named in ``others``."""
        given = {"logits": request.logits, **request.operands}
        given |= {name: getattr(request, name) for name in others}
        beside = self._beside_logits(given, problem)
        for name in INPUTS:
            if name in given and name not in beside:
                self._input(name, given[name], problem)

    def run(self, piece: str, request: Request) -> None:
        """Write a block of the template that runs the request's operation."""
        facts = _facts(request)
        call = self._call(request, facts)
        paragraph: list[str] = []
        for line in [*self.snippets.lines(piece, **facts, call="\n".join(call)), ""]:
            paragraph.append(line)
            if not line:  # a function that stands there already is not written again
                text = "\n".join(paragraph)
                if not paragraph[0].startswith(("@", "def ")) or text not in self._written:
                    self.lines += ["", *paragraph] if paragraph[0].startswith(("@", "def ")) else paragraph
                self._written[text] = True
                paragraph = []
        self.lines.pop()

    def array(self, name: str, dtype: str) -> str:
        """An expression that gives the array of a tensor."""
        return self.snippets.text("to_numpy", name=name, dtype=dtype)

    def number(self, name: str) -> str:
        """An expression that gives the number that is in a tensor of one."""
        return self.snippets.text("number", name=name)

    def shown(self, name: str) -> str:
        """An expression of which a tensor's numbers are printed."""
        return self.snippets.text("shown", name=name)

    def finished(self, head: Sequence[str]) -> Reproducer:
        """The whole script, below ``head``."""
        imports, setup = self.snippets.lines("imports"), self.snippets.lines("setup")
        function = [line for line in self.function if not line.startswith(("import ", "from "))]
        imports += [line for line in self.function if line.startswith(("import ", "from ")) and line not in imports]
        helpers = [line for name, text in HELPERS.items() if f"{name}(" in "\n".join(self.lines)
                   for line in ["", *text.splitlines(), ""]]  # fmt: skip
        body = "\n".join([*setup, *function, *helpers, *self.lines])
        used = [line for name, line in _MODULES.items() if re.search(rf"\b{name}\.", body) and line not in imports]
        future = [line for line in imports if line.startswith("from __future__")]
        imports = [*future, *([""] if future else []), *used, *(line for line in imports if line not in future)]
        lines = [*head, *imports, "", *setup, *_versions(imports), *function, *helpers, "", *self.lines]
        text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).rstrip() + "\n"
        return Reproducer(text, self.snippets.name == "suite", _MODULES["ml_dtypes"] in imports)

    def _beside_logits(self, given: Mapping[str, Any], problem: Problem) -> Sequence[str]:
        """Write the operands that share one memory with the logits; their names, the logits' among them."""
        logits = given["logits"]
        names = [
            name
            for name, item in given.items()
            if isinstance(item, np.ndarray)
            and layout_of(problem.layout, name) == "beside-logits"
            and (item.shape, item.dtype) == (logits.shape, logits.dtype)
        ]
        if not names:
            return ()
        names = ["logits", *names]
        texts = {name: self._numpy_text(given[name], problem) for name in names}
        dtype = logits.dtype.name
        lines = beside_lines(texts, given, lambda name: self.snippets.text("from_numpy", name=name, dtype=dtype))
        if self._written.get("logits") != lines:
            self.say(*lines)
        self._written["logits"] = lines
        return names

    def _numpy_text(self, item: Array, problem: Problem) -> str:
        return numpy_text(item, recipe_text(item, problem) if item.size > MOST_NUMBERS else None)

    def _input(self, name: str, item: Any, problem: Problem) -> None:
        layout = layout_of(problem.layout, name)
        if not isinstance(item, np.ndarray):
            lines = [f"{name} = {item!r}"]
        elif layout == "within-logits":
            lines = [within_line(name, item, problem.logits)]
        elif layout in ("contiguous", "beside-logits") and (text := self._literal(item)):
            lines = wrapped(f"{name} = {text}")
        else:
            dtype = item.dtype.name
            layout = "contiguous" if layout == "beside-logits" else layout
            lines = layout_lines(
                name,
                self._numpy_text(item, problem),
                item,
                layout,
                lambda name: self.snippets.text("from_numpy", name=name, dtype=dtype),
            )
        if self._written.get(name) != lines:
            self.say(*lines)
        self._written[name] = lines

    def _literal(self, array: Array) -> str:
        """The framework's own literal; empty where it must go through NumPy."""
        facts = {"dtype": array.dtype.name, "shape": array.shape}
        if array.size <= MOST_NUMBERS and (array.size or array.ndim == 1):
            return self.snippets.text("tensor", values=values_text(array), **facts)
        if array.size and is_constant(array):
            return self.snippets.text("constant", value=number_text(array.flat[0], array.dtype.name), **facts)
        return ""

    def _call(self, request: Request, facts: Mapping[str, Any]) -> list[str]:
        """The user's function where it is the operation, or a part of it; else the framework's."""
        if self.operation == request.operation:
            options = {name: Name(name) for name in request.operands} | _options(request)
            return [_call_text(self.operation, options)]
        if self.operation == "log_softmax":
            facts = {**facts, "own_log_softmax": _call_text("log_softmax", {"axis": facts["axis"]})}
        return self.snippets.lines(request.operation, **facts)


def _call_text(function: str, options: Mapping[str, Any]) -> str:
    given = (f"{name}={each if isinstance(each, Name) else repr(each)}" for name, each in options.items())
    return f"{function}(logits, {', '.join(given)})"


def _facts(request: Request) -> Mapping[str, Any]:
    """What a template may ask of a call."""
    mapped = request.transform == "vectorised-map"  # of which the options are those of one example
    targets = request.operands.get("targets")
    rank = request.logits.ndim - mapped
    targets_rank = targets.ndim - mapped if isinstance(targets, np.ndarray) else None
    dtype = targets.dtype if isinstance(targets, np.ndarray) else None
    floating = dtype is not None and (dtype.kind == "f" or dtype.name == "bfloat16")
    names = [name for name in INPUTS if name in request.operands or name in ("logits", "upstream")]
    return {
        "operation": request.operation,
        "options": tuple(_options(request).items()),
        "operands": ", ".join(f'"{name}": {name}' for name in request.operands),
        "rank": rank,
        "targets_rank": targets_rank,
        "probabilities": floating and targets_rank == rank,
        "mixed": floating and targets_rank == rank and dtype != request.logits.dtype,
        "names": ", ".join(names),
        "axes": f"({', '.join('None' if name == 'weight' else '0' for name in names)})",
        **{name: Name(name) for name in ("weight", "where") if name in request.operands},
        **_options(request),
    }


def _options(request: Request) -> dict[str, Any]:
    """The options of a call as a script writes them."""
    return {
        name: NotFinite(each) if isinstance(each, float) and not math.isfinite(each) else each
        for name, each in request.options
    }


def _versions(imports: Sequence[str]) -> list[str]:
    """A line that prints the version of each package that is imported by its own name; the suite prints them itself."""
    if "from conformance import __version__" in imports:
        return []
    found = (re.fullmatch(r"import (\w+)(?: as (\w+))?", line) for line in imports)
    shown = [f'"{each[1]}", {each[2] or each[1]}.__version__' for each in found
             if each and each[1] not in ("ml_dtypes", *sys.stdlib_module_names)]  # fmt: skip
    return [f"print({', '.join(shown)})"] if shown else []

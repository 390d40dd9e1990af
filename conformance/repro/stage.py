"""The body of a script: its inputs and its calls, either specialised from the adapter or run on the adapter itself."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.model.problem import Array
from conformance.repro.calls import Adapter
from conformance.repro.layouts import layout_lines
from conformance.repro.literals import Recipe, array_text, numpy_text
from conformance.repro.program import Program
from conformance.repro.recipes import HELPERS
from conformance.repro.tidy import renamed, text_of, tidied
from conformance.repro.values import Code, Facts, Items, NotSpecialised, Value

__all__ = ["Embedded", "Made", "Specialised", "Stage"]


@dataclass(frozen=True)
class Made:
    """A call to make: an operation, the names of its operands in the script, its options, and of its logits."""

    operation: str
    options: tuple[tuple[str, Any], ...]
    logits: str = "logits"
    operands: Mapping[str, str] = field(default_factory=dict)
    upstream: str = ""


class Stage(ABC):
    """Collects the lines of a script; names in ``kept`` keep their value to the end."""

    def __init__(self, program: Program, kept: frozenset[str] = frozenset()) -> None:
        self.program = program
        self.lines: list[str] = []
        self.kept = kept
        self.recipe: Recipe | None = None
        #: The functions of :data:`HELPERS` that the inputs use.
        self.generators: set[str] = set()

    @abstractmethod
    def put(self, name: str, item: Array | Any, layout: str) -> None:
        """``name = `` the framework's tensor of an array, or a Python object as it is."""

    @abstractmethod
    def value(self, made: Made, name: str) -> None:
        """``name = `` the value of a call."""

    @abstractmethod
    def gradient(self, made: Made, value: str, name: str) -> None:
        """``name = `` the gradient of a call, and ``value = `` what comes beside it."""

    @abstractmethod
    def perform(self, method: str, made: Made, takes: Sequence[str], names: Sequence[str]) -> None:
        """Name the results of another method of the contract, which takes these names after the call's logits."""

    @abstractmethod
    def array(self, tensor: str, name: str) -> None:
        """``name = `` the array of a tensor."""

    def say(self, *lines: str) -> None:
        """Add lines."""
        self.lines += lines

    def numpy(self, name: str, array: Array, layout: str) -> None:
        """``name = `` an array of NumPy in the layout."""
        text = numpy_text(array, self.recipe).text
        self.generators |= {each for each in HELPERS if f"{each}(" in text}
        self.say(*layout_lines(name, text, array, layout))


class Specialised(Stage):
    """The adapter's methods, specialised to the call. Raises ``NotSpecialised`` where they cannot be."""

    def __init__(self, program: Program, device: str, mode: str, kept: frozenset[str] = frozenset()) -> None:
        super().__init__(program, kept)
        self.adapter = Adapter(program)
        self.backend = self.adapter.backend(device=device, mode=mode)
        self.adapter.kept |= kept
        self.tensors: dict[str, Code] = {}
        self.defined: set[tuple[str, ...]] = set()
        self.templates: Mapping[str, str] = program.literal("script", {})

    def put(self, name: str, item: Array | Any, layout: str) -> None:
        """See :class:`Stage`."""
        self.adapter.used.add(name)
        if not isinstance(item, np.ndarray):
            self.say(f"{name} = {item!r}")
            self.tensors[name] = Code(ast.Name(name), Facts(is_tensor=False))
            return
        literal = array_text(item, self.templates) if layout == "contiguous" else None
        if literal is not None:
            self.say(f"{name} = {literal.text}")
            self.tensors[name] = Code(ast.Name(name), Facts(item.shape, item.dtype.name))
            return
        self.numpy(name, item, layout)
        facts = Facts(item.shape, item.dtype.name, is_array=True, strides=item.strides)
        kept, self.adapter.kept = self.adapter.kept, set()
        made = self.adapter.invoke(self.backend, "tensor", [Code(ast.Name(name), facts)])
        self.adapter.kept = kept
        if not isinstance(made, Code):
            raise NotSpecialised("tensor gives no tensor")
        same = isinstance(made.node, ast.Name) and made.node.id == name
        self._bind(name, made)
        self._flush()
        self.tensors[name] = Code(ast.Name(name), facts if same else Facts(item.shape, item.dtype.name))

    def value(self, made: Made, name: str) -> None:
        """See :class:`Stage`."""
        self._bind(name, self.adapter.invoke(self.backend, "evaluate", [self._call(made), self.tensors[made.logits]]))
        self._flush({name})

    def gradient(self, made: Made, value: str, name: str) -> None:
        """See :class:`Stage`."""
        self.perform("differentiate", made, (made.upstream,), (value, name))

    def perform(self, method: str, made: Made, takes: Sequence[str], names: Sequence[str]) -> None:
        """See :class:`Stage`."""
        arguments = [self._call(made), self.tensors[made.logits], *(self.tensors[each] for each in takes)]
        found = self.adapter.invoke(self.backend, method, arguments)
        results = [found] if len(names) == 1 else found.items if isinstance(found, Items) else []
        if len(results) != len(names):
            raise NotSpecialised(f"{method} gives no tuple of {len(names)}")
        for target, each in zip(names, results, strict=True):
            if target:
                self._bind(target, each)
        self._flush({*names})

    def array(self, tensor: str, name: str) -> None:
        """See :class:`Stage`."""
        facts = self.tensors[tensor].facts if tensor in self.tensors else None
        self._bind(name, self.adapter.invoke(self.backend, "array", [Code(ast.Name(tensor), facts)]))
        self._flush({name, tensor})

    def _call(self, made: Made) -> Value:
        operands: dict[str, Value] = {name: self.tensors[each] for name, each in made.operands.items()}
        return self.adapter.request(made.operation, operands, dict(made.options))

    def _bind(self, name: str, value: Value) -> None:
        code = self.adapter.reify(value)
        if isinstance(code, ast.Name) and code.id not in self.tensors and renamed(self.adapter.block, code.id, name):
            self.adapter.used.add(name)
            return
        if not (isinstance(code, ast.Name) and code.id == name):
            self.adapter.emit(ast.Assign([ast.Name(name)], code))
        self.adapter.used.add(name)

    def _flush(self, later: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        names = frozenset(later) | self.kept | self.tensors.keys()
        again = ""
        for statement in tidied(self.adapter.block, names):
            lines = text_of(statement).splitlines()
            if isinstance(statement, ast.FunctionDef):
                again = statement.name if tuple(lines) in self.defined else ""
                self.defined.add(tuple(lines))
                lines = ["", *lines, ""]
            wraps = isinstance(statement, ast.Assign) and text_of(statement.targets[0]) == again
            if not again or not (wraps or isinstance(statement, ast.FunctionDef)):
                self.lines += lines
        self.adapter.block = []


class Embedded(Stage):
    """The adapter itself, whose modules the script carries: for adapters that cannot be specialised."""

    def __init__(self, program: Program, device: str, mode: str) -> None:
        super().__init__(program)
        self.device, self.mode = device, mode

    def put(self, name: str, item: Array | Any, layout: str) -> None:
        """See :class:`Stage`."""
        if isinstance(item, np.ndarray):
            self.numpy(name, item, layout)
            self.say(f"{name} = backend.tensor({name})")
        else:
            self.say(f"{name} = {item!r}")

    def value(self, made: Made, name: str) -> None:
        """See :class:`Stage`."""
        self.say(f"{name} = backend.evaluate({_call_text(made)}, {made.logits})")

    def gradient(self, made: Made, value: str, name: str) -> None:
        """See :class:`Stage`."""
        self.perform("differentiate", made, (made.upstream,), (value, name))

    def perform(self, method: str, made: Made, takes: Sequence[str], names: Sequence[str]) -> None:
        """See :class:`Stage`."""
        targets = ", ".join(each or "_" for each in names)
        self.say(f"{targets} = backend.{method}({_call_text(made)}, {', '.join([made.logits, *takes])})")

    def array(self, tensor: str, name: str) -> None:
        """See :class:`Stage`."""
        self.say(f"{name} = backend.array({tensor})")

    def preamble(self) -> list[str]:
        """The modules, and the backend made from them."""
        lines = ["def module(name, text):", "    made = sys.modules[name] = types.ModuleType(name)"]
        lines += ["    exec(text, made.__dict__)", "    return made", "", ""]
        lines.append('module("backends", "")')
        for each in reversed(self.program.modules):
            text = each.text.replace("conformance.backends", "backends")
            lines.append(f"module({_module_name(each.file)!r}, {_quoted(text)})")
        klass = self.program.classes[0]
        if klass.node.name not in klass.module.classes:
            raise NotSpecialised(f"{klass.node.name} is defined inside a function")
        lines.append(f"Adapter = sys.modules[{_module_name(klass.module.file)!r}].{klass.node.name}")
        lines.append("Adapter.prepare(threads=1)")
        lines.append(f"backend = Adapter(device={self.device!r}, mode={self.mode!r}, threads=1)")
        lines.append('Call = sys.modules["backends.contract"].Call')
        return lines


def _call_text(made: Made) -> str:
    operands = ", ".join(f"{name!r}: {each}" for name, each in made.operands.items())
    return f"Call({made.operation!r}, {{{operands}}}, {made.options!r})"


def _module_name(file: str) -> str:
    return "backends.contract" if file == "contract.py" else file.removesuffix(".py").replace("/", ".")


def _quoted(text: str) -> str:
    if "'''" in text or text.endswith(("'", "\\")):
        return repr(text)
    return f"r'''\n{text}'''"

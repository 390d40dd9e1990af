"""A stand-alone script for one finding: imports, versions, inputs, the call, and what comes of it."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Mapping, Sequence

from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.model.errors import UsageError
from conformance.model.problem import Array, Problem
from conformance.model.records import BackendId, Outcome
from conformance.plain import blanked
from conformance.repro.forms import kept_names, write_form
from conformance.repro.program import Program, SourceText
from conformance.repro.recipes import HELPERS, recipe_text
from conformance.repro.scene import Scene
from conformance.repro.shrink import shrunk
from conformance.repro.stage import Embedded, Specialised, Stage
from conformance.repro.tidy import text_of
from conformance.repro.values import NotSpecialised

__all__ = ["problem_of", "reproducer"]

WIDTH = 110
#: What the script itself may use, beside the imports of the adapter.
_OWN = {
    "np": "import numpy as np",
    **{name: f"import {name}" for name in ("base64", "hashlib", "ml_dtypes", "sys", "types", "warnings", "zlib")},
}


def reproducer(entry: Entry, outcome: Outcome, sources: Mapping[str, SourceText], identity: BackendId) -> str:
    """The script that shows ``outcome`` of the case ``entry``, with nothing but the framework (and NumPy).

    ``sources`` are those of the backend, as its process describes it and as its record holds them, and ``identity``
    says on which device and how it ran. Raises
    ``UsageError`` where there is no such problem, the inputs are too large, or the sources are not recorded.
    """
    try:
        return _script(entry, outcome, sources, identity)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise UsageError(
            f"the record of {outcome.case!r} does not fit the case: {error}", hint="use the cases of that run"
        ) from None


def _script(entry: Entry, outcome: Outcome, sources: Mapping[str, SourceText], identity: BackendId) -> str:
    problem = problem_of(entry, outcome)
    scene = shrunk(Scene(problem, outcome))

    def recipe(array: Array) -> str | None:
        return recipe_text(array, problem)

    try:
        program = Program.of(sources)
    except NotSpecialised as error:
        raise UsageError(
            str(error), hint="run the suite again: results hold the adapter's source from now on"
        ) from None
    head = _head(entry, outcome)
    try:
        stage: Stage = Specialised(program, identity.device, identity.mode, kept_names(outcome.check))
        stage.recipe = recipe
        write_form(stage, scene)
        setup = program.literal("script", {}).get("setup", "")
        return _assembled(program, head, [setup] if setup else [], stage)
    except NotSpecialised:
        embedded = Embedded(program, identity.device, identity.mode)
        embedded.recipe = recipe
        write_form(embedded, scene)
        try:
            return _assembled(program, head, embedded.preamble(), embedded)
        except NotSpecialised as error:
            raise UsageError(f"{outcome.backend}: {error}", hint="define the adapter's class in its module") from None


def problem_of(entry: Entry, outcome: Outcome) -> Problem:
    """The problem that the outcome speaks of; raises ``UsageError`` where the case has it no longer."""
    for problem in expand(entry, dtypes=(outcome.dtype,)).problems:
        if problem.layout == outcome.layout:
            return problem
    raise UsageError(
        f"case {entry.case.id!r} is not run in {outcome.dtype}, {outcome.layout}", hint="use the cases of that run"
    )


def _head(entry: Entry, outcome: Outcome) -> list[str]:
    why = " ".join(entry.case.why.split())
    reduction = f", reduction {outcome.reduction}" if outcome.reduction and outcome.reduction != "none" else ""
    what = f"{outcome.op}, {outcome.dtype}{reduction}: {outcome.check}"
    lines = [*textwrap.wrap(f"{entry.case.id}: {why}", 100), what]
    return [f"# {blanked(line)}" for line in lines]


def _assembled(program: Program, head: Sequence[str], setup: Sequence[str], stage: Stage) -> str:
    helpers: list[str] = []
    if isinstance(stage, Specialised):
        for each in stage.adapter.helpers.values():
            helpers += ["", *text_of(each).splitlines(), ""]
    for name in sorted(stage.generators):
        helpers += ["", *HELPERS[name].splitlines(), ""]
    body = [each for line in stage.lines for each in _wrapped(line)]
    imports = _imports(program, [*setup, *helpers, *body], specialised=isinstance(stage, Specialised))
    versions = _versions(imports)
    lines = [*head, *(text for _, text in imports)]
    if any(line.startswith(("@", "class ")) for line in helpers):
        lines.insert(len(head), "from __future__ import annotations\n")
    lines += ["", *setup, *versions, *helpers, "", *body]
    text = "\n".join(lines) + "\n"
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text


def _imports(program: Program, lines: Sequence[str], *, specialised: bool) -> list[tuple[str, str]]:
    """The imports, by the name that they bind, of all that the lines use and do not define, and of the framework."""
    tree = ast.parse("\n".join(lines))
    stored = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    used = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)} - stored
    known = {name: text_of(node) for module in reversed(program.modules) for name, node in module.imports.items()
             if not module.file.startswith("contract") or name not in _OWN}  # fmt: skip
    found = {
        name: known[name]
        for name in used
        if name in known and program.module_of(ast.parse(known[name]).body[0]) is None
    }
    found |= {name: _OWN[name] for name in used if name in _OWN}
    framework = program.literal("framework", "")
    roots = {text.split()[1] for text in found.values() if text.startswith("import ")}
    if specialised and framework not in roots:
        found |= {name: text for name, text in known.items() if text.split()[:2] == ["import", framework]}
    return sorted(found.items(), key=lambda pair: (pair[1].split()[1].partition(".")[0] not in sys.stdlib_module_names,
                                                   pair[1]))  # fmt: skip


def _versions(imports: Sequence[tuple[str, str]]) -> list[str]:
    """A line that prints the version of each package."""
    shown = []
    for name, text in imports:
        words = text.split()
        if words[0] == "import" and "." not in words[1] and words[1] not in sys.stdlib_module_names:
            shown.append(f'"{words[1]}", {name}.__version__')
    return [f"print({', '.join(shown)})"] if shown else []


def _wrapped(line: str) -> list[str]:
    """A long line of literals, broken inside its brackets."""
    if len(line) <= WIDTH or "[" not in line or line.lstrip().startswith(("#", '"', "print")) or "'" in line:
        return [line]
    if '"' in line.replace('float("inf")', "").replace('float("-inf")', "").replace('float("nan")', ""):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

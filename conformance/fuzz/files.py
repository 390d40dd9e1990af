"""What a search leaves behind: a case file for each cause, and the inputs that a later search begins with."""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from conformance import __version__
from conformance.cases.lint import PLACEHOLDER
from conformance.cases.load import Entry, case_files, load_suite
from conformance.cases.text import flow_text, keys_of
from conformance.corpus.extents import MOST
from conformance.corpus.recipe import Recipe
from conformance.corpus.settle import settled
from conformance.corpus.space import FACTORS, FORMS
from conformance.disk import contents, disk_errors, write
from conformance.fuzz.causes import Cause
from conformance.fuzz.search import THEME, Corpus, Search
from conformance.model.backend import BackendRecord
from conformance.model.errors import Place, UsageError
from conformance.model.wording import message
from conformance.plain import blanked

__all__ = ["CORPUS", "case_text", "corpus_text", "file_name", "read_corpus", "write_cases"]

#: The recipes of a corpus folder, beside case files of any name.
CORPUS = "corpus.jsonl"
MOST_KEPT = 400
MOST_READ = 1 << 24  # bytes of recipes, of which one takes about a thousand
WIDTH = 100


def file_name(cause: Cause) -> str:
    """``softmax-value-fuzz.1a2b3c.yaml``."""
    return f"{cause.kind.op}-{cause.kind.check}-{cause.case.id}.yaml"


def write_cases(search: Search, folder: Path) -> dict[str, str]:
    """Write a case file for each cause into ``folder``; returns where each case stands, by its id.

    A case that stands there already, in the corpus that the search began with or by an earlier one, stays as it is:
    somebody may have filled in why. Raises HarnessError where the disk refuses.
    """
    there = {each.case.id: each.file for each in search.corpus.entries if each.file.is_relative_to(folder)}
    for cause in search.causes.all:
        file = there.setdefault(cause.case.id, folder / file_name(cause))
        if not file.exists():
            write(file, case_text(cause, search.backend.record, search.seed))
    return {cause.case.id: str(there[cause.case.id]) for cause in search.causes.all}


def case_text(cause: Cause, record: BackendRecord, seed: int) -> str:
    """A case file for a cause, complete but for its ``why``."""
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    outcome = cause.outcome
    where = " ".join(word for word in (outcome.dtype, outcome.layout, outcome.reduction) if word)
    notes = [
        f"{outcome.verdict} of {outcome.check} on {record.name} ({versions}) in {where}",
        f"{message(outcome)}",
        f"conformance {__version__}, fuzz --seed {seed}: {cause.first}, after {cause.after} cases",
    ]
    if not cause.again:
        notes.append("not again when it was asked alone: calls before it have a part in it")
    body = keys_of(cause.case) | {"why": PLACEHOLDER}
    lines = ["# yaml-language-server: $schema=../schema.json", f"theme: {THEME}", "cases:"]
    for note in notes:
        lines += textwrap.wrap(blanked(note), WIDTH, initial_indent="  # ", subsequent_indent="  #   ")
    for number, (name, value) in enumerate(body.items()):
        start = "  - " if number == 0 else "    "
        text = f"{start}{name}: {flow_text(value)}"
        lines += textwrap.wrap(
            text, WIDTH, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
        ) or [text]
    return "\n".join(lines) + "\n"


def corpus_text(search: Search) -> str:
    """The recipes that a later search begins with: what failed, what came nearest to its bound, and what was left."""
    failed = [cause.recipe for cause in search.causes.all if cause.recipe is not None]
    nearest = sorted(search.pool.entries, key=lambda each: -each.ratio)
    recipes = {each.name: each for each in (*failed, *(near.recipe for near in nearest), *search.unasked)}
    lines = [msgspec.json.encode(each) for each in [*recipes.values()][:MOST_KEPT]]
    return b"".join(line + b"\n" for line in lines).decode()


def read_corpus(folder: Path) -> Corpus:
    """What a folder holds to begin with; nothing where there is none yet.

    Raises UsageError for a line that holds no recipe and for what is not a file of recipes, HarnessError where the disk
    refuses, and CaseErrors for a case file that is wrong.
    """
    if not folder.exists():
        return Corpus()
    file = folder / CORPUS
    entries: Sequence[Entry] = ()
    if any(each.suffix in (".yaml", ".yml") for each in folder.rglob("*")):
        entries = load_suite(case_files([folder])).entries
    lines: Sequence[bytes] = ()
    with disk_errors(file, "read"), contextlib.suppress(FileNotFoundError):
        file.lstat()
        lines = contents(file, MOST_READ).splitlines()
    recipes = [*_recipes(file, lines)]
    # Settled once more: whoever wrote them may have had other rules, or none.
    current = [
        msgspec.structs.replace(each, levels=settled(each.levels, each.extents))
        for each in recipes
        if _is_current(each)
    ]
    return Corpus(recipes=current, entries=entries, outdated=len(recipes) - len(current))


def _recipes(file: Path, lines: Sequence[bytes]) -> Iterable[Recipe]:
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=Recipe)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            hint = "remove the line: the search writes the file anew"
            raise UsageError(f"not a recipe: {error}", place=Place(file, number), hint=hint) from None


def _is_current(recipe: Recipe) -> bool:
    """Whether the levels are those of this version, and the shape is one that it draws: others have no case."""
    levels, extents = recipe.levels, recipe.extents
    if {*levels} != {*FACTORS} or any(level not in FACTORS[factor] for factor, level in levels.items()):
        return False
    return len(extents) == FORMS[levels["form"]].rank and min(extents, default=0) >= 0 and math.prod(extents) <= MOST

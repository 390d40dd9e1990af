"""The case files that are generated: the cases of covering arrays, written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.cases.text import flow_text
from conformance.corpus import crossed, features, sizes, specials, transformed
from conformance.corpus.covering import Levels, covering_array
from conformance.corpus.derived import derived_cases
from conformance.corpus.memory import memory_cases
from conformance.corpus.tiers import is_spared

__all__ = [
    "AXES",
    "FILES",
    "SIZES",
    "SPECIALS",
    "THREADS",
    "TRANSFORMS",
    "TRIPLES",
    "TYPES",
    "CoveringArray",
    "GeneratedFile",
]

Keys = dict[str, Any]
_SEED = 20


@dataclass(frozen=True)
class CoveringArray:
    """A covering array of ``strength``, and the case that a row of it stands for.

    ``case_of`` gives the case as the mapping that a case file holds; its tensors have the ten seeds from the given one
    on, which is ``seeds`` for the first row.
    """

    factors: Mapping[str, Sequence[str]]
    allowed: Callable[[Mapping[str, str]], bool]
    case_of: Callable[[Mapping[str, str], int], Keys]
    seeds: int = 0
    strength: int = 2

    def rows(self) -> list[Levels]:
        """The rows, the same each time."""
        return covering_array(self.factors, self.strength, _SEED, self.allowed)

    def cases(self) -> list[Keys]:
        """The cases, in the order of their ids."""
        cases = (self.case_of(row, self.seeds + 10 * number) for number, row in enumerate(self.rows()))
        return sorted(cases, key=lambda case: str(case["id"]))


TRIPLES = CoveringArray(features.FACTORS, features.allowed, features.case_of, seeds=10_000, strength=3)
SIZES = CoveringArray(sizes.FACTORS, sizes.allowed, sizes.case_of, seeds=60_000)
TRANSFORMS = CoveringArray(transformed.FACTORS, transformed.allowed, transformed.case_of, seeds=90_000)
TYPES = CoveringArray(crossed.IN_TYPES, crossed.allowed, crossed.named("typed"), seeds=120_000)
AXES = CoveringArray(crossed.ALONG_AXES, crossed.allowed, crossed.named("along"), seeds=140_000)
THREADS = CoveringArray(crossed.IN_THREADS, crossed.allowed, crossed.named("threads"), seeds=160_000)
SPECIALS = CoveringArray(specials.FACTORS, specials.allowed, lambda row, seed: specials.case_of(row))


@dataclass(frozen=True)
class GeneratedFile:
    """A generated file of ``cases/``: its name on the command line, its path, what its cases are for, and these.

    ``strength`` is that of their covering array, None for cases that are not one.
    """

    name: str
    path: str
    why: str
    cases: Callable[[], list[Keys]]
    strength: int | None = 2

    def text(self) -> str:
        """The whole file."""
        array = "" if self.strength is None else f": a covering array of strength {self.strength}"
        return (
            "# yaml-language-server: $schema=../schema.json\n"
            f"# Written by `python -m conformance.corpus {self.name}`{array}.\n"
            f"theme: {self.path.partition('/')[0]}\nwhy: {self.why}\ncases:\n"
        ) + "\n".join(map(_case_text, self.cases()))


_FILES = (
    GeneratedFile(
        "triples",
        "combinations/triples.yaml",
        "every triple of form, shape, weights, ignored label, smoothing, range of logits and memory layout occurs "
        "together",
        TRIPLES.cases,
        TRIPLES.strength,
    ),
    GeneratedFile(
        "sizes",
        "combinations/sizes.yaml",
        "every pair of form, size, dtype, reduction, weights, ignored label, smoothing, upstream gradient, memory "
        "layout,\n  type of the labels, range of logits and transform occurs together",
        SIZES.cases,
    ),
    GeneratedFile(
        "transforms",
        "combinations/transforms.yaml",
        "every triple of an operation, a transform and one of shape, dtype, divisor, smoothing, memory layout, range "
        "of\n  logits and direction occurs together",
        TRANSFORMS.cases,
    ),
    GeneratedFile(
        "types",
        "combinations/types.yaml",
        "every triple of an operation, a dtype and one of size, divisor, smoothing, upstream gradient, memory layout "
        "and\n  range of logits occurs together",
        TYPES.cases,
    ),
    GeneratedFile(
        "axes",
        "combinations/axes.yaml",
        "every rank with every stated class axis occurs together with each operation, dtype, divisor, smoothing and "
        "layout",
        AXES.cases,
    ),
    GeneratedFile(
        "threads",
        "combinations/threads.yaml",
        "two threads at once in every operation, with every dtype, size, divisor and smoothing",
        THREADS.cases,
    ),
    GeneratedFile(
        "specials",
        "combinations/special-values.yaml",
        "every pair of operand, special value, kind of place, smoothing, reduction and dtype occurs together",
        SPECIALS.cases,
    ),
    GeneratedFile(
        "memory",
        "layouts/memory.yaml",
        "every pair of memory layouts of two operands occurs together; a kernel that reads one of them as it reads "
        "another\n  is right where all lie alike",
        memory_cases,
    ),
    GeneratedFile(
        "derived",
        "differentiation/derived.yaml",
        ">-\n  each derivative of each operation in ranks up to eight, for each structure of the upstream gradient,\n"
        "  with each operand in each kind of memory, next to the same call but for one operand, and in two threads",
        derived_cases,
        None,
    ),
)
#: By the names that the command line takes.
FILES = {file.name: file for file in _FILES}


def _case_text(case: Keys) -> str:
    tier = {"tier": "full"} if is_spared(case["id"]) else {}
    lines = [f"{key}:{_value(key, value)}\n" for key, value in ({"id": case["id"]} | tier | case).items()]
    return "  - " + "    ".join(lines)


def _value(key: str, value: Any) -> str:
    if key == "why":
        return f" >-\n      {value}"
    if key == "layouts" and "=" in "".join(value):
        return "".join(f"\n      - {each}" for each in value)
    return f" {flow_text(value)}"

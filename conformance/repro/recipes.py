"""Large inputs as the few lines of NumPy that generate them, in place of their bytes.

A recipe is the generator of the case, written out. It is evaluated here and used only where it gives the very bits of
the array, so that a rounding, a layout or a transformation of the case that it does not follow cannot slip in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.model.case import Generator
from conformance.model.problem import Array, Problem
from conformance.repro.literals import values_text

__all__ = ["HELPERS", "recipe_text"]

#: Functions that a recipe may call; a script holds those that it uses.
HELPERS = {
    "random_words": """\
def random_words(seed, size, terms=1):
    # 64-bit integers: SHAKE128 of the seed and the number of a block of 65,536 elements
    blocks = [(seed + (n << 64)).to_bytes(16, "little") for n in range(-(-size // 65536))]
    text = b"".join(hashlib.shake_128(each).digest(terms << 19) for each in blocks)
    return np.frombuffer(text, "<u8")[: terms * size]""",
    "seeded_walk": """\
def seeded_walk(key, size):
    # eighths of both signs, between 1/2 and 2, of which neighbours differ
    values = np.array([sign * n / 8 for n in (4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15) for sign in (1, -1)])
    steps = np.frombuffer(hashlib.shake_128(key).digest(4 * size), "<u4").astype(np.int64) % 21 + 1
    return values[np.cumsum(steps) % 22]""",
    "planted": """\
def planted(values, places, numbers):
    values.flat[places] = numbers
    return values""",
}
#: Single elements that a recipe may set to other numbers.
MOST_PLANTED = 32


def recipe_text(array: Array, problem: Problem) -> str | None:
    """An expression of NumPy and :data:`HELPERS` that gives an input of ``problem`` in its shape and dtype, or None."""
    name = array.dtype.name
    dtype = "ml_dtypes.bfloat16" if name == "bfloat16" else f"np.{name}"
    for values in dict.fromkeys(_candidates(array, problem)):
        text = f"{values}.reshape({array.shape}).astype({dtype})"
        made = _evaluated(text)
        if made is None or made.shape != array.shape:
            continue
        places = np.flatnonzero(_bits(made) != _bits(array))
        if 0 < len(places) <= MOST_PLANTED:
            text = f"planted({text}, {places.tolist()}, {values_text(array.flat[places])})"
            made = _evaluated(text)
        if made is not None and np.array_equal(_bits(made), _bits(array)):
            return text
    return None


def _bits(array: Array) -> Array:
    """The elements in row order, as integers of the same bits."""
    return np.ascontiguousarray(array).reshape(-1).view(f"u{array.itemsize}")


def _candidates(array: Array, problem: Problem) -> Iterator[str]:
    """Expressions that may give the values: those of logits are drawn along the last axis, whichever the classes'."""
    case = problem.case
    for given in (getattr(case, field) for field in case.__struct_fields__):
        if isinstance(given, Generator):
            for axis in (problem.class_axis or 0, array.ndim - 1):
                if text := _generated(given, array, problem, axis):
                    yield _placed(text, given, array, axis)
    for key in (case.id, f"{case.id}, tangent"):
        yield f"seeded_walk({key.encode()!r}, {array.size})"


def _placed(text: str, given: Generator, array: Array, axis: int) -> str:
    """The values with their positions moved in turn, and the last axis masked."""
    if given.apart and axis < array.ndim:
        positions = (*array.shape[:axis], 1, *array.shape[axis + 1 :])
        steps = f"((np.arange({math.prod(positions)}) % 3 - 1.0) * {float(given.apart)!r}).reshape({positions})"
        text = f"({text}.reshape({array.shape}) + {steps})"
    if given.masked and array.ndim:
        last = f"np.arange({array.shape[-1]})"
        first, end = given.masked
        text = f"np.where(({first} <= {last}) & ({last} < {end}), -np.inf, {text}.reshape({array.shape}))"
    return text


def _generated(given: Generator, array: Array, problem: Problem, axis: int) -> str | None:
    """The generator's values in row order."""
    size, seed = array.size, given.drawing.seed
    match given.distribution:
        case "uniform":
            return _scaled(f"((random_words({seed}, {size}) >> 11).astype(np.int64) * 2.0**-52 - 1.0)", given)
        case "normal":
            terms = f"(random_words({seed}, {size}, 12) >> 16).astype(np.int64).reshape(-1, 12).sum(axis=1)"
            return _scaled(f"(({terms} - (6 << 48)) * 2.0**-48)", given)
        case "ramp":
            steps = f"(np.arange({size}) * 2 - {size - 1}).astype(np.float64)"
            return _scaled(f"({steps} / {max(size - 1, 1)})", given)
        case "labels":
            classes = given.classes if given.classes is not None else (problem.logits.shape or (1,))[axis]
            return _labels(seed, size, classes)
        case "simplex" | "one-hot" if axis < array.ndim and size:
            classes = array.shape[axis]
            shape = (*array.shape[:axis], *array.shape[axis + 1 :], classes)
            if given.distribution == "simplex":
                rows = f"((random_words({seed}, {size}) >> 40).astype(np.int64) + 1).reshape(-1, {classes})"
                rows = f"(lambda rows: rows / rows.sum(axis=1, keepdims=True))({rows})"
            else:
                labels = _labels(seed, size // classes, classes)
                rows = _scaled(f"(np.arange({classes}) == {labels}.reshape(-1, 1)).astype(np.float64)", given)
            return f"np.moveaxis({rows}.reshape({shape}), -1, {axis})"
    return None


def _labels(seed: int, size: int, classes: int) -> str:
    return f"(((random_words({seed}, {size}) >> 32) * {classes}) >> 32)"


def _scaled(text: str, given: Generator) -> str:
    scale, offset = given.drawing.scale, given.drawing.offset
    return text if scale == 1 and offset == 0 else f"({text} * {float(scale)!r} + {float(offset)!r})"


def _evaluated(text: str) -> Array | None:
    """What an expression of this module gives; None where it cannot be computed."""
    import ml_dtypes

    names: dict[str, Any] = {"np": np, "ml_dtypes": ml_dtypes, "hashlib": hashlib}
    for helper in HELPERS.values():
        exec(helper, names)
    try:
        with np.errstate(all="ignore"):
            made: Array = np.asarray(eval(text, names))
    except (ValueError, OverflowError, MemoryError):
        return None
    return made

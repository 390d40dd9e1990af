"""Large inputs as the few lines of NumPy that generate them, in place of their bytes.

A recipe is the generator of the case, written out. It is evaluated here and used only where it gives the very bits of
the array, so that a rounding, a layout or a transformation of the case that it does not follow cannot slip in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.model.case import Generator
from conformance.model.problem import Array, Problem

__all__ = ["HELPERS", "recipe_text"]

#: Functions that a recipe may call; a script holds those that it uses.
HELPERS = {
    "random_words": '''\
def random_words(seed, size, terms=1):
    """64-bit integers: SHAKE128 of the seed and the number of a block of 65,536 elements."""
    text = b""
    for block, start in enumerate(range(0, size, 65536)):
        stream = hashlib.shake_128(seed.to_bytes(8, "little") + block.to_bytes(8, "little"))
        text += stream.digest(8 * terms * min(65536, size - start))
    return np.frombuffer(text, "<u8")''',
    "seeded_walk": '''\
def seeded_walk(key, size):
    """Eighths of both signs, between 1/2 and 2, of which neighbours differ."""
    values = np.array([sign * n / 8 for n in (4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15) for sign in (1, -1)])
    steps = np.frombuffer(hashlib.shake_128(key).digest(4 * size), "<u4").astype(np.int64) % 21 + 1
    return values[np.cumsum(steps) % 22]''',
}


def recipe_text(array: Array, problem: Problem) -> str | None:
    """An expression of NumPy and :data:`HELPERS` that gives an input of ``problem`` in its shape and dtype, or None."""
    name = array.dtype.name
    dtype = "ml_dtypes.bfloat16" if name == "bfloat16" else f"np.{name}"
    wanted = np.ascontiguousarray(array).tobytes()
    for flat in _candidates(array, problem):
        text = f"{flat}.reshape({array.shape}).astype({dtype})"
        if _bytes_of(text) == wanted:
            return text
    return None


def _candidates(array: Array, problem: Problem) -> Iterator[str]:
    case, axis = problem.case, problem.class_axis or 0
    for given in (getattr(case, field) for field in case.__struct_fields__):
        if isinstance(given, Generator) and (text := _generated(given, array, problem, axis)):
            yield text
    for key in (case.id, f"{case.id}, tangent"):
        yield f"seeded_walk({key.encode()!r}, {array.size})"


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
            return f"(((random_words({seed}, {size}) >> 32) * {classes}) >> 32)"
        case "simplex" if axis < array.ndim:
            classes = array.shape[axis]
            shape = (*array.shape[:axis], *array.shape[axis + 1 :], classes)
            rows = f"((random_words({seed}, {size}) >> 40).astype(np.int64) + 1).reshape(-1, {classes})"
            quotients = f"(lambda rows: rows / rows.sum(axis=1, keepdims=True))({rows})"
            return f"np.moveaxis({quotients}.reshape({shape}), -1, {axis})"
    return None


def _scaled(text: str, given: Generator) -> str:
    scale, offset = given.drawing.scale, given.drawing.offset
    return text if scale == 1 and offset == 0 else f"({text} * {float(scale)!r} + {float(offset)!r})"


def _bytes_of(text: str) -> bytes | None:
    """What an expression of this module gives; None where it cannot be computed."""
    import ml_dtypes

    names: dict[str, Any] = {"np": np, "ml_dtypes": ml_dtypes, "hashlib": hashlib}
    for helper in HELPERS.values():
        exec(helper, names)
    try:
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(eval(text, names)).tobytes()
    except (ValueError, OverflowError, MemoryError):
        return None

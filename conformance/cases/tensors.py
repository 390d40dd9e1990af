"""Literal and seeded tensors: the same bytes on every machine.

The raw 64-bit integers are the bytes of SHAKE128 (FIPS 202) of the seed, little-endian, so that any language can make
them; all else is integer arithmetic and single IEEE 754 operations, which are exactly defined. No function of a
math library, no sum of floats in an order that a processor may choose.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.model.case import Drawing, Generator
from conformance.numerics.formats import Float64Array

__all__ = ["default_upstream", "materialise"]

_CHUNK = 1 << 16
_UNIFORM_TERMS = 12
# Eighths from 4/8 to 15/8, without 8/8: an upstream gradient of exactly 1 would hide a factor that was forgotten.
_EIGHTHS = (4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15)
_UPSTREAM = np.array([sign * eighths / 8 for eighths in _EIGHTHS for sign in (1, -1)])


def materialise(
    given: Generator | float | list[Any],
    *,
    shape: Sequence[int] | None = None,
    class_axis: int | None = None,
    classes: int | None = None,
) -> Float64Array:
    """The float64 array of literal nested lists, or of a generator.

    ``shape`` and ``classes`` hold where the generator states none; ``class_axis`` (default: the last axis) is where
    ``one-hot`` and ``simplex`` lie. Raises ValueError when a shape or number of classes is needed and not known.
    """
    if not isinstance(given, Generator):
        return np.array(given, dtype=np.float64)
    extents = tuple(given.shape if given.shape is not None else shape if shape is not None else _missing("shape"))
    values = _generate(given, extents, class_axis, classes)
    if given.apart:
        values = _apart(values, given.apart, -1 if class_axis is None else class_axis)
    if given.masked is not None:
        values[..., slice(*given.masked)] = -np.inf
    if given.planted:
        values = np.array(values, order="C")
        flat = values.reshape(-1)
        for place, number in given.planted:
            flat[place] = number
    return values


def _apart(values: Float64Array, apart: float, class_axis: int) -> Float64Array:
    """The positions, in row-major order, moved in turn by −apart, 0 and +apart."""
    moved = np.moveaxis(values, class_axis, -1)
    steps = np.arange(math.prod(moved.shape[:-1])) % 3 - 1.0
    return np.ascontiguousarray(np.moveaxis(moved + (steps * apart).reshape(*moved.shape[:-1], 1), -1, class_axis))


def _missing(name: str) -> Any:
    raise ValueError(f"the generator needs a {name}")


def _generate(given: Generator, shape: tuple[int, ...], class_axis: int | None, classes: int | None) -> Float64Array:
    size, drawing = math.prod(shape), given.drawing
    if given.distribution == "constant":
        return np.full(shape, drawing.offset)
    if given.distribution == "ramp":
        return _ramp(drawing, size).reshape(shape)
    if given.distribution in ("one-hot", "simplex"):
        return _along_classes(given, shape, -1 if class_axis is None else class_axis)
    if given.distribution == "labels":
        extent = given.classes if given.classes is not None else classes
        return _labels(drawing.seed, size, _missing("number of classes") if extent is None else extent).reshape(shape)
    draw = _centred_normal if given.distribution == "normal" else _centred_uniform
    values = np.empty(size)
    per_element = _UNIFORM_TERMS if given.distribution == "normal" else 1
    for part, raw in _raw(drawing.seed, size, per_element):
        values[part] = draw(raw) * drawing.scale + drawing.offset
    return values.reshape(shape)


def _raw(seed: int, size: int, per_element: int = 1) -> Iterator[tuple[slice, npt.NDArray[np.uint64]]]:
    """The raw integers of ``size`` elements in order, in chunks, so that memory stays near that of the result."""
    for block, start in enumerate(range(0, size, _CHUNK)):
        count = min(_CHUNK, size - start)
        stream = hashlib.shake_128(seed.to_bytes(8, "little") + block.to_bytes(8, "little"))
        raw = np.frombuffer(stream.digest(8 * count * per_element), dtype="<u8")
        yield slice(start, start + count), raw.astype(np.uint64, copy=False)


def _centred_uniform(raw: npt.NDArray[np.uint64]) -> Float64Array:
    """[−1, 1) in steps of 2^−52: exact."""
    return (raw >> np.uint64(11)).astype(np.int64).astype(np.float64) * 2.0**-52 - 1.0


def _centred_normal(raw: npt.NDArray[np.uint64]) -> Float64Array:
    """Twelve uniform numbers of 48 bits, less 6: mean 0, variance 1, and exact, because the sum is one of integers."""
    terms = (raw >> np.uint64(16)).astype(np.int64).reshape(-1, _UNIFORM_TERMS)
    centred: npt.NDArray[np.int64] = np.add.reduce(terms, axis=1) - (6 << 48)
    return centred.astype(np.float64) * 2.0**-48


def _ramp(drawing: Drawing, size: int) -> Float64Array:
    steps = (np.arange(size, dtype=np.int64) * 2 - (size - 1)).astype(np.float64)
    return steps / max(size - 1, 1) * drawing.scale + drawing.offset


def _labels(seed: int, size: int, classes: int) -> Float64Array:
    values = np.empty(size)
    for part, raw in _raw(seed, size):
        values[part] = ((raw >> np.uint64(32)) * np.uint64(classes) >> np.uint64(32)).astype(np.float64)
    return values


def _along_classes(given: Generator, shape: tuple[int, ...], class_axis: int) -> Float64Array:
    """One-hot and simplex, made with the classes last and then moved to their axis."""
    scale, offset, seed, _ = given.drawing
    if not shape:
        return np.ones(shape) if given.distribution == "simplex" else np.full(shape, scale + offset)
    extent = shape[class_axis]
    positions = tuple(np.delete(np.array(shape, dtype=np.int64), class_axis).tolist())
    if given.distribution == "one-hot":
        chosen = _labels(seed, math.prod(positions), extent)[:, np.newaxis]
        values = np.where(np.arange(extent) == chosen, scale, 0.0) + offset
    else:
        weights = np.empty(math.prod(shape), dtype=np.int64)
        for part, raw in _raw(seed, weights.size):
            weights[part] = (raw >> np.uint64(40)).astype(np.int64) + 1
        rows = weights.reshape(math.prod(positions), extent)
        values = rows.astype(np.float64) / rows.sum(axis=1, keepdims=True).astype(np.float64)
    return np.ascontiguousarray(np.moveaxis(values.reshape(*positions, extent), -1, class_axis))


def default_upstream(shape: Sequence[int], key: str) -> Float64Array:
    """The upstream gradient of a case that states none: float64 of ``shape``, the same for the same ``key``.

    Magnitudes are eighths in [0.5, 2) other than 1, exact in every dtype; from two elements on both signs occur, and
    neighbours in memory differ, so that neither ones nor a shifted or broadcast gradient pass for it.
    """
    size = math.prod(shape)
    if size == 1:
        chosen = _UPSTREAM[hashlib.shake_128(key.encode()).digest(1)[0] % len(_UPSTREAM)]
        return np.array(chosen, ndmin=len(shape))
    words = np.frombuffer(hashlib.shake_128(key.encode()).digest(4 * size), dtype="<u4")
    steps = words.astype(np.int64) % (len(_UPSTREAM) - 1) + 1
    # A walk whose every step is at least 1 and less than the number of values never stays where it is.
    values = _UPSTREAM[np.cumsum(steps) % len(_UPSTREAM)]
    if size > 1 and abs(np.sign(values).sum()) == size:
        values[-1] = -values[-1]
    return values.reshape(tuple(shape))

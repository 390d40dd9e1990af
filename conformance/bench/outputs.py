"""Results to be judged, on their way from the process that computed them to the judge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.bench.workload import Workload
from conformance.model.problem import Array
from conformance.numerics.formats import numpy_dtype
from conformance.oracle.block import to_rows

__all__ = ["fetch", "keep", "sampled_positions"]

MOST_POSITIONS = 256
MOST_ELEMENTS = 1 << 20
FEWEST_POSITIONS = 8


def sampled_positions(workload: Workload, seed: int) -> list[int]:
    """The positions whose gradient is judged, ascending: all of a small workload, else drawn by ``seed``."""
    most = min(MOST_POSITIONS, max(FEWEST_POSITIONS, MOST_ELEMENTS // workload.classes))
    if workload.positions <= most:
        return list(range(workload.positions))
    return sorted(random.Random(f"{seed}:{workload.id}").sample(range(workload.positions), most))


def keep(folder: Path, workload: Workload, arrays: Sequence[Array], seed: int) -> None:
    """Write the value and, if it is there, the sampled positions of the gradient.

    A gradient that is not of the logits' shape is kept as it is: the judge reports it. Raises TypeError for what is no
    array of numbers.
    """
    for array in arrays:
        if not isinstance(array, np.ndarray | np.generic) or array.dtype.hasobject:
            found = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"the result cannot be read as an array of numbers: {found}")
    folder.mkdir(parents=True, exist_ok=True)
    kept = dict(zip(("value", "gradient"), arrays, strict=False))
    if "gradient" in kept and kept["gradient"].shape == workload.shape:
        kept["gradient"] = to_rows(kept["gradient"], workload.class_axis)[sampled_positions(workload, seed)]
    for name, array in kept.items():
        if array.dtype.name == "bfloat16":
            name, array = f"{name}.bfloat16", array.view(np.uint16)
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def fetch(folder: Path) -> dict[str, Array]:
    """What :func:`keep` wrote: ``value`` and, if it is there, ``gradient``."""
    found: dict[str, Any] = {}
    for path in folder.glob("*.npy"):
        array = np.load(path, allow_pickle=False)
        name, _, half = path.name.removesuffix(".npy").partition(".")
        found[name] = array.view(numpy_dtype("bfloat16")) if half else array
    return found

"""Results to be judged, on their way from the process that computed them to the judge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from conformance.bench.inputs import write_arrays
from conformance.bench.workload import Workload
from conformance.model.problem import Array
from conformance.oracle.block import to_rows

__all__ = ["keep", "sampled_positions"]

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

    A gradient that is not of the logits' shape is kept as it is: the judge reports it. Raises TypeError for what
    is not an array of numbers.
    """
    for array in arrays:
        if not isinstance(array, np.ndarray | np.generic) or array.dtype.hasobject:
            found = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"the result cannot be read as an array of numbers: {found}")
    kept = dict(zip(("value", "gradient"), arrays, strict=False))
    if "gradient" in kept and kept["gradient"].shape == workload.shape:
        kept["gradient"] = to_rows(kept["gradient"], workload.class_axis)[sampled_positions(workload, seed)]
    write_arrays(folder, kept)

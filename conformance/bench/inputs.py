"""The tensors of a workload, as arrays: seeded, the same on every machine, and cheap to make however large."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conformance.bench.workload import Workload
from conformance.cases.tensors import materialise
from conformance.model.case import Generator
from conformance.model.problem import Array
from conformance.numerics.formats import numpy_dtype, round_to

__all__ = ["IGNORED_LABEL", "Inputs", "load", "make", "read_arrays", "save", "write_arrays"]

IGNORED_LABEL = -100
#: Logits are drawn once for so many elements and then repeated. A prime, so that no two rows are alike by chance
#: of the extents; drawing all of a large workload would take longer than timing it.
PERIOD = 1_048_573


@dataclass(frozen=True, eq=False)
class Inputs:
    """What one call receives. ``upstream`` is 1 for ``sum`` and ``mean``, as ``loss.backward()`` has it."""

    logits: Array
    targets: Array
    upstream: Array
    weight: Array | None = None
    ignore_index: int | None = None

    def operands(self) -> dict[str, Array]:
        """The operands beside the logits, by the name that the contract gives them."""
        found = {"targets": self.targets}
        return found if self.weight is None else found | {"weight": self.weight}


def make(workload: Workload) -> Inputs:
    """The arrays of ``workload``, contiguous, the floating ones rounded to its dtype."""
    axis, shape = workload.class_axis, workload.shape
    positions = shape[:axis] + shape[axis + 1 :]
    logits = _periodic(Generator(distribution="normal", scale=workload.scale, seed=workload.seed), workload, shape)
    weight = None
    if workload.weight:
        drawn = Generator(distribution="uniform", scale=0.5, offset=1.0, seed=workload.seed + 2)
        weight = round_to(materialise(drawn, shape=(workload.classes,)), workload.dtype)
    upstream = np.ones(positions if workload.reduction == "none" else (), numpy_dtype(workload.dtype))
    if workload.targets == "probabilities":
        return Inputs(logits, _probabilities(workload), upstream, weight)
    labels = Generator(distribution="labels", classes=workload.classes, seed=workload.seed + 1)
    targets = materialise(labels, shape=positions).astype(np.int64)
    if not workload.ignored:
        return Inputs(logits, targets, upstream, weight)
    drawn = Generator(distribution="uniform", scale=0.5, offset=0.5, seed=workload.seed + 3)
    targets[materialise(drawn, shape=positions) < workload.ignored] = IGNORED_LABEL
    return Inputs(logits, targets, upstream, weight, IGNORED_LABEL)


def _periodic(given: Generator, workload: Workload, shape: Sequence[int]) -> Array:
    size = math.prod(shape)
    drawn = round_to(materialise(given, shape=(min(size, PERIOD),)), workload.dtype)
    return np.resize(drawn, size).reshape(shape) if size > PERIOD else drawn.reshape(shape)


def _probabilities(workload: Workload) -> Array:
    """Rows that sum to about 1, the class axis in its place."""
    axis = workload.class_axis
    positions = workload.shape[:axis] + workload.shape[axis + 1 :]
    drawn = np.abs(
        _periodic(Generator(distribution="normal", seed=workload.seed + 1), workload, (*positions, workload.classes))
    )
    rows = drawn.astype(np.float64)
    rows /= rows.sum(axis=-1, keepdims=True)
    return np.ascontiguousarray(np.moveaxis(round_to(rows, workload.dtype), -1, axis))


def save(inputs: Inputs, folder: Path) -> None:
    """Write the arrays to ``folder``, from which every process of a run reads them."""
    write_arrays(folder, {"logits": inputs.logits, "upstream": inputs.upstream, **inputs.operands()})


def load(workload: Workload, folder: Path) -> Inputs:
    """What :func:`save` wrote for ``workload``."""
    return Inputs(**read_arrays(folder), ignore_index=IGNORED_LABEL if workload.ignored else None)


def write_arrays(folder: Path, arrays: Mapping[str, Array]) -> None:
    """Write each array to a file of its name; NumPy's format knows no bfloat16, which the name then states."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        half = array.dtype.name == "bfloat16"
        file = folder / (f"{name}.bfloat16.npy" if half else f"{name}.npy")
        np.save(file, array.view(np.uint16) if half else array, allow_pickle=False)


def read_arrays(folder: Path) -> dict[str, Array]:
    """What :func:`write_arrays` wrote, by name."""
    found: dict[str, Array] = {}
    for path in folder.glob("*.npy"):
        array = np.load(path, allow_pickle=False)
        name, _, half = path.name.removesuffix(".npy").partition(".")
        found[name] = array.view(numpy_dtype("bfloat16")) if half else array
    return found

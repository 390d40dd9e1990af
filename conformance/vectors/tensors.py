"""Where the numbers of vectors go: into the JSON itself, or into one file of tensors beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from conformance.disk import replacing, write
from conformance.model.problem import Array
from conformance.numerics.formats import widen
from conformance.vectors.document import Tensor

__all__ = ["ENDINGS", "Store", "TensorFormat", "json_numbers"]

TensorFormat = Literal["json", "npz", "safetensors", "raw"]
#: The file's ending; none where every number stands in the JSON.
ENDINGS: dict[TensorFormat, str] = {"json": "", "npz": ".npz", "safetensors": ".safetensors", "raw": ".bin"}
_ALIGNED = 8  # bytes: no number of any dtype is longer
#: https://huggingface.co/docs/safetensors: names of dtypes.
_SAFE = {"float64": "F64", "float32": "F32", "bfloat16": "BF16", "float16": "F16", "bool": "BOOL"}


@dataclass(eq=False)
class Store:
    """Takes the tensors of one theme; equal ones are kept once.

    Up to ``inline`` numbers stand in the JSON, but for ``raw``, which keeps all in its file: a reader without JSON
    needs them there.
    """

    style: TensorFormat
    inline: int
    _names: dict[bytes, str] = field(default_factory=dict)
    _arrays: dict[str, Array] = field(default_factory=dict)
    _size: int = 0

    def put(self, array: Array) -> Tensor:
        """The tensor as a vector names it, with the array's shape and dtype; bool and integers keep theirs, too."""
        name, shape = array.dtype.name, list(array.shape)
        if self.style == "json" or (self.style != "raw" and array.size <= self.inline):
            return Tensor(dtype=name, shape=shape, data=json_numbers(array))
        plain = np.ascontiguousarray(_little(array))
        key = hashlib.sha256(f"{name} {shape}".encode() + plain.tobytes()).digest()
        if key not in self._names:
            self._names[key] = str(self._size) if self.style == "raw" else f"t{len(self._arrays)}"
            self._arrays[self._names[key]] = plain.reshape(array.shape)
            self._size += -(-plain.nbytes // _ALIGNED) * _ALIGNED
            if name == "bfloat16":
                self._halves.add(self._names[key])
        return Tensor(dtype=name, shape=shape, tensor=self._names[key])

    _halves: set[str] = field(default_factory=set)

    def write(self, path: Path) -> str | None:
        """Write the file of tensors, if there are any: ``path`` with the format's ending. Its name, or None."""
        if not self._arrays:
            return None
        path = path.with_name(path.name + ENDINGS[self.style])
        if self.style == "npz":
            with replacing(path) as partial, partial.open("wb") as file:
                arrays: Mapping[str, Any] = self._arrays
                np.savez_compressed(file, **arrays)
        elif self.style == "raw":
            write(path, b"".join(_padded(each) for each in self._arrays.values()))
        else:
            write(path, self._safe())
        return path.name

    def _safe(self) -> bytes:
        """The safetensors format: the header's length, the header, the numbers."""
        header, place = {}, 0
        for name, each in self._arrays.items():
            kind = "bfloat16" if name in self._halves else each.dtype.name
            dtype = _SAFE.get(kind) or f"{each.dtype.kind.upper()}{each.dtype.itemsize * 8}"
            header[name] = {"dtype": dtype, "shape": each.shape, "data_offsets": [place, place + each.nbytes]}
            place += each.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % _ALIGNED)
        return len(text).to_bytes(8, "little") + text + b"".join(each.tobytes() for each in self._arrays.values())


def _little(array: Array) -> Array:
    """The same numbers, little-endian; bfloat16, which NumPy's files do not know, as its bits."""
    if array.dtype.name == "bfloat16":
        return np.ascontiguousarray(array).view(np.uint16).astype("<u2")
    return array.astype(array.dtype.newbyteorder("<"))


def _padded(array: Array) -> bytes:
    return array.tobytes() + b"\0" * (-array.nbytes % _ALIGNED)


def json_numbers(array: Array) -> list[Any]:
    """The numbers of any dtype, flat, as JSON has them; what it has not, in words."""
    if array.dtype.kind in "iu":
        return list(array.reshape(-1).tolist())
    if array.dtype.kind == "b":
        return [int(each) for each in array.reshape(-1)]
    flat = widen(array).reshape(-1)
    numbers: list[Any] = flat.tolist()
    for place in np.flatnonzero(~np.isfinite(flat) | ((flat == 0) & np.signbit(flat))).tolist():
        number = numbers[place]
        word = "NaN" if number != number else "-0.0" if number == 0 else "Infinity" if number > 0 else "-Infinity"
        numbers[place] = word
    return numbers

"""The vectors of a theme as words between spaces, for readers without JSON; the numbers lie in the file of tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.vectors.document import FORMAT, Tensor, Vector

__all__ = ["index_text"]


def index_text(vectors: Sequence[Vector]) -> str:
    """A line for each fact, its name first; ``docs/vectors.md`` lists them."""
    return "".join(f"{line}\n" for line in (f"vectors {FORMAT}", *(each for v in vectors for each in _lines(v))))


def _lines(vector: Vector) -> Iterator[str]:
    yield f"vector {vector.id} {vector.op} {vector.reduction} {vector.dtype} {vector.answer}"
    if vector.transform:
        yield f"transform {vector.transform}"
    for name in ("axis", "ignore_index"):
        value = getattr(vector, name)
        if value is not None:
            yield f"{name} {value}"
    if vector.label_smoothing is not None:
        yield f"label_smoothing {vector.label_smoothing!r}"
    yield from (f"ask {name}" for name in vector.asks)
    for name, tensor in vector.inputs.items():
        yield _tensor(name, tensor)
    for name, expected in vector.expected.items():
        yield _tensor(f"{name}.exact", expected.exact)
        for letter, bound in expected.bounds.items():
            yield _tensor(f"{name}.bound.{letter}", bound)
    yield "end"


def _tensor(name: str, tensor: Tensor) -> str:
    """``tensor NAME DTYPE OFFSET RANK EXTENT...``."""
    return " ".join(map(str, ("tensor", name, tensor.dtype, tensor.tensor, len(tensor.shape), *tensor.shape)))
